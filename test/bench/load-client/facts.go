package main

import (
	"bytes"
	"hash/maphash"
	"strings"
	"sync"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// facts derived from a resource body. All clients usually receive the same
// bodies, so the facts are kept once per body for the whole process.
type facts struct {
	name string
	deps []string // CDS: EDS service names; LDS: route configuration names
	// RDS: the virtual hosts come by VHDS.
	vhds bool
	// EDS: the newest change of a churn that it shows, -1 for none.
	churn int
}

var (
	seed      = maphash.MakeSeed()
	factsMu   sync.RWMutex
	factsMemo = map[uint64]*facts{}
)

func factsFor(typeURL string, body []byte) (*facts, error) {
	var h maphash.Hash
	h.SetSeed(seed)
	h.WriteString(typeURL)
	h.Write(body)
	k := h.Sum64()
	factsMu.RLock()
	f := factsMemo[k]
	factsMu.RUnlock()
	if f != nil {
		return f, nil
	}
	f = &facts{churn: -1}
	switch typeURL {
	case resource.ClusterType:
		c := &clusterv3.Cluster{}
		if err := proto.Unmarshal(body, c); err != nil {
			return nil, err
		}
		f.name = c.GetName()
		if c.GetType() == clusterv3.Cluster_EDS {
			n := c.GetEdsClusterConfig().GetServiceName()
			if n == "" {
				n = c.GetName()
			}
			f.deps = []string{n}
		}
	case resource.ListenerType:
		l := &listenerv3.Listener{}
		if err := proto.Unmarshal(body, l); err != nil {
			return nil, err
		}
		f.name = l.GetName()
		chains := l.GetFilterChains()
		if l.GetDefaultFilterChain() != nil {
			chains = append(chains, l.GetDefaultFilterChain())
		}
		for _, fc := range chains {
			for _, flt := range fc.GetFilters() {
				tc := flt.GetTypedConfig()
				if tc == nil || !strings.HasSuffix(tc.GetTypeUrl(), "HttpConnectionManager") {
					continue
				}
				hcm := &hcmv3.HttpConnectionManager{}
				if err := proto.Unmarshal(tc.GetValue(), hcm); err != nil {
					return nil, err
				}
				if n := hcm.GetRds().GetRouteConfigName(); n != "" {
					f.deps = append(f.deps, n)
				}
			}
		}
	case resource.RouteType:
		f.name = nameOf(body)
		// RouteConfiguration.vhds is field 9.
		_ = fields(body, func(num protowire.Number, _ []byte) error {
			f.vhds = f.vhds || num == 9
			return nil
		})
	case resource.EndpointType:
		f.name = nameOf(body)
		f.churn = newestChange(body)
	default:
		f.name = nameOf(body)
	}
	factsMu.Lock()
	factsMemo[k] = f
	factsMu.Unlock()
	return f, nil
}

// shows reports whether a resource body carries the value of a change.
func (l *load) shows(body []byte, value string) bool {
	if l.matchURL == resource.EndpointType {
		return holdsAddress(body, value)
	}
	return bytes.Contains(body, []byte(value))
}

// holdsAddress reports whether a ClusterLoadAssignment has an endpoint at addr.
func holdsAddress(body []byte, addr string) bool {
	if !bytes.Contains(body, []byte(addr)) {
		return false
	}
	for _, a := range addresses(body) {
		if a == addr {
			return true
		}
	}
	return false
}

// addresses lists the addresses of a ClusterLoadAssignment.
func addresses(body []byte) (found []string) {
	cla := &endpointv3.ClusterLoadAssignment{}
	if proto.Unmarshal(body, cla) != nil {
		return nil
	}
	for _, l := range cla.GetEndpoints() {
		for _, e := range l.GetLbEndpoints() {
			found = append(found, e.GetEndpoint().GetAddress().GetSocketAddress().GetAddress())
		}
	}
	return found
}

// newestChange is the highest number of a change that a ClusterLoadAssignment
// shows, -1 for none.
func newestChange(body []byte) int {
	newest := -1
	if !bytes.Contains(body, []byte("11.")) {
		return newest
	}
	for _, a := range addresses(body) {
		newest = max(newest, changeOf(a))
	}
	return newest
}

// changeOf is the number of the change which gave an endpoint this address, -1
// for an address which no change gave.
func changeOf(addr string) int {
	rest, ok := strings.CutPrefix(addr, "11.")
	v := versionOf(rest)
	if !ok || v == nil {
		return -1
	}
	return int(v[0])<<16 | int(v[1])<<8 | int(v[2])
}
