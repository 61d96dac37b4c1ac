package main

import (
	"fmt"
	"strconv"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/proto"
)

// grpcTypes in the order in which a gRPC client comes to them: each names what
// it needs of the next one.
var grpcTypes = []string{resource.ListenerType, resource.RouteType, resource.ClusterType, resource.EndpointType}

// targetsOf lists what a gRPC client dials: target 0, which everybody dials, and
// others that its neighbours do not dial, as far as there are enough.
func targetsOf(client, perClient, all int, tmpl string) []string {
	names := make([]string, 0, perClient)
	for i := range min(perClient, all) {
		t := 0
		if i > 0 {
			t = 1 + (client*(perClient-1)+i-1)%(all-1)
		}
		names = append(names, strings.ReplaceAll(tmpl, "{t}", strconv.Itoa(t)))
	}
	return names
}

// followGRPC asks for what the resources of a response name, as gRPC does: every
// type by name. What was named once stays: nobody hangs up.
func (c *client) followGRPC(r *response) error {
	s := c.subs[r.typeURL]
	deps := c.depsBy[r.typeURL]
	if deps == nil {
		deps = map[string][]string{}
		c.depsBy[r.typeURL] = deps
	}
	for _, it := range r.items {
		name, found, err := grpcDeps(r.typeURL, it.value)
		if err != nil {
			return fmt.Errorf("client %d: %w", c.n, err)
		}
		s.have[name] = struct{}{}
		deps[name] = found
	}
	for _, n := range r.removed {
		s.have[n] = struct{}{} // answered: does not exist
	}
	for i, t := range grpcTypes[:len(grpcTypes)-1] {
		if t != r.typeURL {
			continue
		}
		names := []string{}
		for _, d := range deps {
			names = append(names, d...)
		}
		return c.subscribe(grpcTypes[i+1], names)
	}
	return nil
}

// grpcReady reports whether a gRPC client could call all its targets.
func (c *client) grpcReady() bool {
	for _, t := range grpcTypes {
		if s := c.subs[t]; s == nil || len(s.names) == 0 || !c.complete(t) {
			return false
		}
	}
	return true
}

// grpcDeps is the name of a resource, and what it needs of the next type.
func grpcDeps(typeURL string, body []byte) (name string, deps []string, err error) {
	switch typeURL {
	case resource.ListenerType:
		l, hcm := &listenerv3.Listener{}, &hcmv3.HttpConnectionManager{}
		if err := proto.Unmarshal(body, l); err != nil {
			return "", nil, err
		}
		if err := l.GetApiListener().GetApiListener().UnmarshalTo(hcm); err != nil {
			return "", nil, fmt.Errorf("listener %q: %w", l.GetName(), err)
		}
		return l.GetName(), []string{hcm.GetRds().GetRouteConfigName()}, nil
	case resource.RouteType:
		table := &routev3.RouteConfiguration{}
		if err := proto.Unmarshal(body, table); err != nil {
			return "", nil, err
		}
		for _, vh := range table.GetVirtualHosts() {
			for _, route := range vh.GetRoutes() {
				deps = append(deps, clustersOf(route.GetRoute())...)
			}
		}
		return table.GetName(), deps, nil
	case resource.ClusterType:
		f, err := factsFor(typeURL, body)
		if err != nil {
			return "", nil, err
		}
		return f.name, f.deps, nil
	}
	return nameOf(body), nil, nil
}

func clustersOf(action *routev3.RouteAction) (names []string) {
	if n := action.GetCluster(); n != "" {
		names = append(names, n)
	}
	for _, w := range action.GetWeightedClusters().GetClusters() {
		names = append(names, w.GetName())
	}
	return names
}
