package test.signalbox;

import java.util.LinkedHashMap;
import java.util.Map;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Configuration;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RestController;

/** An ordinary Spring Cloud application: it serves one answer and registers itself with Eureka. */
@RestController
@EnableAutoConfiguration
@Configuration(proxyBeanMethods = false)
public class SpringProvider {
  private final String name;
  private final int port;

  SpringProvider(
      @Value("${spring.application.name}") String name, @Value("${server.port}") int port) {
    this.name = name;
    this.port = port;
  }

  @GetMapping("/")
  public Map<String, Object> answer(@RequestHeader("Host") String host) {
    Map<String, Object> answer = new LinkedHashMap<>();
    answer.put("name", name);
    answer.put("port", port);
    answer.put("host", host);
    return answer;
  }

  public static void main(String[] args) {
    ConfigurableApplicationContext context = SpringApplication.run(SpringProvider.class, args);
    // For the run that only records which classes are loaded.
    if (context.getEnvironment().getProperty("signalbox.exit-when-ready", Boolean.class, false)) {
      System.exit(SpringApplication.exit(context));
    }
  }
}
