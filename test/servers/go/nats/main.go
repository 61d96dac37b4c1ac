// Command nats-for-tests is the unchanged NATS server, compiled from its
// published module. Integration tests run it; nothing ships it.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/nats-io/nats-server/v2/server"
)

func main() {
	flags := flag.NewFlagSet("nats-server", flag.ExitOnError)
	options, err := server.ConfigureOptions(
		flags, os.Args[1:], server.PrintServerAndExit, flags.Usage, server.PrintTLSHelpAndDie)
	fatal(err)
	running, err := server.NewServer(options)
	fatal(err)
	running.ConfigureLogger()
	fatal(server.Run(running))
	running.WaitForShutdown()
}

func fatal(err error) {
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "nats-server:", err)
	os.Exit(1)
}
