#!/bin/sh
# Records testdata/in from a real agent. Start an empty one first, then give its address:
#   consul agent -dev -node=t1 -bind=127.0.0.1 -client=127.0.0.1 -http-port=18500 …
#   sh adapters/consul/testdata/record.sh http://127.0.0.1:18500
set -eu
agent=$1
here=$(dirname "$0")/in
mkdir -p "$here"

put() { curl -sf -o /dev/null -X PUT "$agent/v1/catalog/register" -d "$1"; }

put '{"Node":"vm-1","Address":"10.0.1.1","Service":{"ID":"web-1","Service":"web","Address":"10.0.0.1","Port":8080,"Tags":["version=v1","track|stable","canary"],"Meta":{"protocol":"http","team":"shop"},"Weights":{"Passing":10,"Warning":2}},
  "Checks":[{"Node":"vm-1","CheckID":"service:web-1","Name":"web","Status":"passing","ServiceID":"web-1"},{"Node":"vm-1","CheckID":"serfHealth","Name":"Serf","Status":"passing"}]}'
put '{"Node":"vm-2","Address":"10.0.1.2","NodeMeta":{"zone":"dc1-b","rack":"r7"},"Service":{"ID":"web-2","Service":"web","Port":8080,"Meta":{"protocol":"http"},"Weights":{"Passing":10,"Warning":2}},
  "Checks":[{"Node":"vm-2","CheckID":"service:web-2","Name":"web","Status":"warning","ServiceID":"web-2"}]}'
put '{"Node":"vm-3","Address":"10.0.1.3","Service":{"ID":"web-3","Service":"web","Address":"10.0.0.3","Port":8081,"Tags":["protocol=http"]},
  "Checks":[{"Node":"vm-3","CheckID":"service:web-3","Name":"web","Status":"critical","ServiceID":"web-3"},{"Node":"vm-3","CheckID":"mem","Name":"memory","Status":"warning"}]}'
put '{"Node":"vm-4","Address":"10.0.1.4","Service":{"ID":"web-4","Service":"web","Address":"10.0.0.4","Port":8080},
  "Checks":[{"Node":"vm-4","CheckID":"_service_maintenance:web-4","Name":"Service Maintenance Mode","Status":"critical","ServiceID":"web-4"}]}'
put '{"Node":"vm-1","Address":"10.0.1.1","SkipNodeUpdate":true,"Service":{"ID":"mixed-1","Service":"mixed","Address":"10.0.0.5","Port":9000,"Meta":{"protocol":"grpc"}}}'
put '{"Node":"vm-2","Address":"10.0.1.2","SkipNodeUpdate":true,"Service":{"ID":"mixed-2","Service":"mixed","Address":"2001:DB8:0:0:0:0:0:5","Port":9000,"Meta":{"protocol":"http"},"TaggedAddresses":{"lan_ipv4":{"Address":"10.0.0.6","Port":9000}}}}'
put '{"Node":"vm-3","Address":"10.0.1.3","SkipNodeUpdate":true,"Service":{"ID":"mixed-3","Service":"mixed","Address":"10.0.0.7","Port":3306}}'
put '{"Node":"vm-1","Address":"10.0.1.1","SkipNodeUpdate":true,"Service":{"ID":"ports-1","Service":"ports","Ports":[{"Name":"http","Port":8080,"Default":true},{"Name":"grpc-admin","Port":9090}],"Meta":{"gRPC_port":"9091"}}}'
put '{"Node":"search","Address":"www.example.com","NodeMeta":{"external-node":"true","external-probe":"true"},"Service":{"ID":"search","Service":"search","Port":443,"Meta":{"protocol":"https"}}}'
put '{"Node":"search-2","Address":"192.0.2.7","NodeMeta":{"external-node":"true"},"Service":{"ID":"search","Service":"search","Port":443,"Meta":{"protocol":"https"}}}'
put '{"Node":"vm-1","Address":"10.0.1.1","SkipNodeUpdate":true,"Service":{"ID":"proxied-proxy","Service":"proxied","Kind":"connect-proxy","Address":"10.0.0.8","Port":20000,"Proxy":{"DestinationServiceName":"proxied-app"}}}'
put '{"Node":"vm-2","Address":"10.0.1.2","SkipNodeUpdate":true,"Service":{"ID":"proxied-app","Service":"proxied","Address":"10.0.0.9","Port":8080}}'
put '{"Node":"vm-1","Address":"10.0.1.1","SkipNodeUpdate":true,"Service":{"ID":"bad-port","Service":"bad","Address":"10.0.0.10","Port":70000}}'
# The agent takes a weight below 0 and gives back 1.
put '{"Node":"vm-2","Address":"10.0.1.2","SkipNodeUpdate":true,"Service":{"ID":"bad-weight","Service":"bad","Address":"10.0.0.11","Port":80,"Weights":{"Passing":-1,"Warning":1}}}'
put '{"Node":"vm-3","Address":"10.0.1.3","SkipNodeUpdate":true,"Service":{"ID":"bad-address","Service":"bad","Address":"no address","Port":80}}'
put '{"Node":"vm-4","Address":"10.0.1.4","SkipNodeUpdate":true,"Service":{"ID":"no-port","Service":"bad","Address":"10.0.0.12"}}'
put '{"Node":"vm-4","Address":"10.0.1.4","SkipNodeUpdate":true,"Service":{"ID":"good","Service":"bad","Address":"10.0.0.13","Port":80,"Locality":{"Region":"eu-1","Zone":"eu-1a"},"Meta":{"__proto__":"data","constructor":"data"}}}'

version=$(curl -sf "$agent/v1/agent/self" | sed -n 's/^ *"Version": "\(.*\)",*$/\1/p' | head -1)
for service in web mixed ports search proxied bad; do
  {
    echo "// Consul $version: curl \$agent/v1/health/service/$service, after the registrations in testdata/record.sh"
    curl -sf "$agent/v1/health/service/$service"
    echo
  } > "$here/$service.jsonc"
done
