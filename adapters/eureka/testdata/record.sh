#!/bin/sh
# Records answers of a real, empty Eureka server into testdata/in, one file for each state:
#   npm run servers -- up eureka, then: sh adapters/eureka/testdata/record.sh http://127.0.0.1:8761/eureka
set -eu
url=$1
into=$(dirname "$0")/in
mkdir -p "$into"
center='"dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"}'
lease='"leaseInfo":{"renewalIntervalInSecs":30,"durationInSecs":300}'

get() { # get PATH FILE
  curl -sf -H 'Accept: application/json' "$url$1" >"$into/$2.json"
}
put() { # put APP ID JSON-FIELDS
  curl -sf -X POST -H 'Content-Type: application/json' "$url/apps/$1" \
    -d "{\"instance\":{\"app\":\"$1\",\"instanceId\":\"$2\",\"status\":\"UP\",$lease,$center,$3}}"
}

get /apps empty
put orders a:orders:8080 '"hostName":"host-a","ipAddr":"10.0.0.1","vipAddress":"orders","secureVipAddress":"orders","port":{"$":8080,"@enabled":"true"},"securePort":{"$":8443,"@enabled":"false"},"metadata":{"zone":"z1","version":"v1","management.port":"8080"}'
get /apps one-instance
put orders b:orders:8080 '"hostName":"host-b","ipAddr":"10.0.0.2","vipAddress":"orders","secureVipAddress":"orders","port":{"$":8080,"@enabled":"true"},"securePort":{"$":8443,"@enabled":"false"},"metadata":{"zone":"z2","version":"v2"}'
put pay x:pay:9090 '"hostName":"host-x","ipAddr":"10.0.1.1","vipAddress":"pay,pay-alt","secureVipAddress":"pay-s","port":{"$":9090,"@enabled":"false"},"securePort":{"$":9443,"@enabled":"true"},"metadata":{"weight":"5"}'
put both y:both '"hostName":"both.example.com","ipAddr":"10.0.2.1","vipAddress":"both","secureVipAddress":"both","port":{"$":9090,"@enabled":"true"},"securePort":{"$":9443,"@enabled":"true"},"metadata":{"protocol":"http2","gRPC_port":"9091"}'
put names c:names '"hostName":"c.example.com","ipAddr":"c.example.com","vipAddress":"names","port":{"$":7000,"@enabled":"true"},"securePort":{"$":443,"@enabled":"false"}'
put names d:names '"hostName":"d.example.com","ipAddr":"10.0.3.1","vipAddress":"names","port":{"$":7000,"@enabled":"true"},"securePort":{"$":443,"@enabled":"false"}'
get /apps several
curl -sf -X PUT "$url/apps/ORDERS/a:orders:8080/status?value=OUT_OF_SERVICE"
curl -sf -X PUT "$url/apps/NAMES/d:names/status?value=DOWN"
get /apps out-of-service
get /apps/delta delta-modified
curl -sf -X DELETE "$url/apps/ORDERS/b:orders:8080"
get /apps deleted
get /apps/delta delta-deleted
lease='"leaseInfo":{"renewalIntervalInSecs":1,"durationInSecs":4}'
put short never-renewed '"hostName":"10.0.4.1","ipAddr":"10.0.4.1","vipAddress":"short","port":{"$":80,"@enabled":"true"}'
put short once-renewed '"hostName":"10.0.4.2","ipAddr":"10.0.4.2","vipAddress":"short","port":{"$":80,"@enabled":"true"}'
curl -sf -X PUT "$url/apps/SHORT/once-renewed"
# Nobody renews the two leases; the server ends them.
while curl -sf "$url/apps/SHORT/once-renewed" >/dev/null; do sleep 1; done
get /apps/delta delta-evicted
