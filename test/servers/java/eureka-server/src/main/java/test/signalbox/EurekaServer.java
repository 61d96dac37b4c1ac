package test.signalbox;

import jakarta.servlet.Filter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.cloud.netflix.eureka.server.EnableEurekaServer;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.env.Environment;

/** The Spring Cloud Eureka server. Its settings come from application.properties and the command line. */
@EnableEurekaServer
@EnableAutoConfiguration
@Configuration(proxyBeanMethods = false)
public class EurekaServer {
  /** Demands HTTP basic authentication for everything; the setting is "user:password". */
  @Bean
  @ConditionalOnProperty("signalbox.basic-auth")
  FilterRegistrationBean<Filter> basicAuth(Environment environment) {
    byte[] credentials = environment.getRequiredProperty("signalbox.basic-auth").getBytes(StandardCharsets.UTF_8);
    String expected = "Basic " + Base64.getEncoder().encodeToString(credentials);
    Filter filter =
        (request, response, chain) -> {
          if (expected.equals(((HttpServletRequest) request).getHeader("Authorization"))) {
            chain.doFilter(request, response);
            return;
          }
          HttpServletResponse refusal = (HttpServletResponse) response;
          refusal.setHeader("WWW-Authenticate", "Basic realm=\"eureka\"");
          refusal.sendError(HttpServletResponse.SC_UNAUTHORIZED);
        };
    FilterRegistrationBean<Filter> registration = new FilterRegistrationBean<>(filter);
    registration.setOrder(Integer.MIN_VALUE);
    return registration;
  }

  public static void main(String[] args) {
    ConfigurableApplicationContext context = SpringApplication.run(EurekaServer.class, args);
    // For the run that only records which classes are loaded.
    if (context.getEnvironment().getProperty("signalbox.exit-when-ready", Boolean.class, false)) {
      System.exit(SpringApplication.exit(context));
    }
  }
}
