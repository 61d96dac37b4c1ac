// Command kube-for-tests holds two unchanged servers, etcd and kube-apiserver,
// compiled from their published modules. The first argument chooses the one to
// run. Integration tests run it; nothing ships it.
package main

import (
	"fmt"
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	server := ""
	if len(os.Args) > 1 {
		server = os.Args[1]
		// Both servers read os.Args, so the choice must be gone before they start.
		os.Args = append([]string{os.Args[0]}, os.Args[2:]...)
	}
	switch server {
	case "etcd":
		etcdmain.Main(os.Args)
	case "apiserver":
		os.Exit(cli.Run(app.NewAPIServerCommand()))
	default:
		fmt.Fprintf(os.Stderr, "first argument must be etcd or apiserver, not %q\n", server)
		os.Exit(2)
	}
}
