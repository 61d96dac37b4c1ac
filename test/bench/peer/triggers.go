package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync"
)

// mesh is what the triggers change.
type mesh struct {
	mu                  sync.Mutex
	st                  store
	services, endpoints int
	metadata            bool
	addrs               [][]string
	added               []string
	canary              string
}

// handler answers
//
//	POST /change?service=0&endpoint=0&address=10.250.0.1   one endpoint
//	POST /churn?first=0&count=10                            changes by number, see churn
//	POST /route?value=abc                                   a header match of one route
//	POST /service?value=abc&address=10.250.0.1              a new service
//	GET  /stats                                             memory after a collection
func (m *mesh) handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, change := range map[string]func(context.Context, *http.Request) error{
		"POST /change": m.change, "POST /churn": m.churn, "POST /route": m.route, "POST /service": m.service,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			m.mu.Lock()
			defer m.mu.Unlock()
			if err := change(r.Context(), r); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
			}
		})
	}
	mux.HandleFunc("GET /stats", stats)
	return mux
}

func numbers(r *http.Request, names ...string) ([]int, error) {
	found := make([]int, len(names))
	for i, name := range names {
		n, err := strconv.Atoi(r.FormValue(name))
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%s must be a number from 0", name)
		}
		found[i] = n
	}
	return found, nil
}

func (m *mesh) change(ctx context.Context, r *http.Request) error {
	n, err := numbers(r, "service", "endpoint")
	if err != nil {
		return err
	}
	return m.set(ctx, n[0], n[1], r.FormValue("address"))
}

// churn makes the changes first to first+count-1: change n gives an endpoint of
// service n modulo services the address 11.x.y.z, where x.y.z is n in base 256.
func (m *mesh) churn(ctx context.Context, r *http.Request) error {
	n, err := numbers(r, "first", "count")
	if err != nil {
		return err
	}
	for i := n[0]; i < n[0]+n[1]; i++ {
		address := fmt.Sprintf("11.%d.%d.%d", i>>16&255, i>>8&255, i&255)
		if err := m.set(ctx, i%m.services, i/m.services%m.endpoints, address); err != nil {
			return err
		}
	}
	return nil
}

func (m *mesh) set(ctx context.Context, s, e int, address string) error {
	a := net.ParseIP(address)
	if a == nil || s >= m.services || e >= m.endpoints {
		return fmt.Errorf("service, endpoint or address out of range")
	}
	m.addrs[s][e] = a.String()
	return m.st.setCLA(ctx, s, makeCLA(s, m.addrs[s], m.metadata))
}

func (m *mesh) route(ctx context.Context, r *http.Request) error {
	m.canary = r.FormValue("value")
	return m.st.setRoutes(ctx, makeRoutes(m.services, m.added, m.canary))
}

func (m *mesh) service(ctx context.Context, r *http.Request) error {
	a := net.ParseIP(r.FormValue("address"))
	if a == nil || r.FormValue("value") == "" {
		return fmt.Errorf("value and address must be given")
	}
	m.added = append(m.added, r.FormValue("value"))
	n := "outbound|80||" + r.FormValue("value") + ".mesh.internal"
	c := makeCluster(0)
	c.Name, c.EdsClusterConfig.ServiceName = n, n
	addrs := make([]string, m.endpoints)
	for e := range addrs {
		addrs[e] = addr(m.services+len(m.added), e, m.endpoints)
	}
	addrs[0] = a.String()
	cla := makeCLA(0, addrs, m.metadata)
	cla.ClusterName = n
	return m.st.addService(ctx, c, cla, makeRoutes(m.services, m.added, m.canary))
}

func stats(w http.ResponseWriter, _ *http.Request) {
	var s runtime.MemStats
	// What finalizers hold goes in the second collection.
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&s)
	_ = json.NewEncoder(w).Encode(map[string]any{"heap_bytes": s.HeapAlloc, "external_bytes": 0})
}
