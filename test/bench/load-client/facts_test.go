package main

import (
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

func assignment(t *testing.T, addresses ...string) []byte {
	t.Helper()
	cla := &endpointv3.ClusterLoadAssignment{ClusterName: "a", Endpoints: []*endpointv3.LocalityLbEndpoints{{}}}
	for _, a := range addresses {
		cla.Endpoints[0].LbEndpoints = append(cla.Endpoints[0].LbEndpoints, &endpointv3.LbEndpoint{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: &corev3.Address{
				Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: a}}}}}})
	}
	return marshal(t, cla)
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNewestChangeOfAnAssignment(t *testing.T) {
	for _, c := range []struct {
		addresses []string
		want      int
	}{
		{[]string{"10.1.0.1", "10.11.0.1"}, -1},
		{[]string{"10.1.0.1", "11.0.1.2", "11.0.0.9"}, 258},
		{[]string{"11.0.0.0"}, 0},
		{[]string{"11.0.0"}, -1},
	} {
		if got := newestChange(assignment(t, c.addresses...)); got != c.want {
			t.Errorf("%v shows change %d, want %d", c.addresses, got, c.want)
		}
	}
}

func TestRoutesThatComeByVHDS(t *testing.T) {
	for _, vhds := range []*routev3.Vhds{nil, {ConfigSource: &corev3.ConfigSource{}}} {
		f, err := factsFor(resource.RouteType, marshal(t, &routev3.RouteConfiguration{Name: "80", Vhds: vhds}))
		if err != nil || f.name != "80" || f.vhds != (vhds != nil) {
			t.Errorf("%v: %+v, %v", vhds, f, err)
		}
	}
}

func TestDeltaResponse(t *testing.T) {
	value := assignment(t, "10.0.0.1")
	r, err := parseDelta(marshal(t, &discoveryv3.DeltaDiscoveryResponse{TypeUrl: resource.EndpointType, Nonce: "7",
		RemovedResources: []string{"b"},
		Resources:        []*discoveryv3.Resource{{Name: "a", Version: "v1", Resource: &anypb.Any{TypeUrl: resource.EndpointType, Value: value}}}}))
	if err != nil {
		t.Fatal(err)
	}
	if r.nonce != "7" || len(r.removed) != 1 || r.removed[0] != "b" || len(r.items) != 1 {
		t.Fatalf("%+v", r)
	}
	if it := r.items[0]; it.name != "a" || it.version != "v1" || string(it.value) != string(value) {
		t.Errorf("%+v", it)
	}
}
