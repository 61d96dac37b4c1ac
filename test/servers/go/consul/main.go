// Command consul-for-tests is the unchanged Consul command line, compiled from
// its published module. Integration tests run it; nothing ships it.
package main

import (
	"fmt"
	"io"
	"log"
	"os"

	"github.com/hashicorp/consul/command"
	consulcli "github.com/hashicorp/consul/command/cli"
	"github.com/mitchellh/cli"
)

func main() {
	// The agent has its own logger; the standard one only repeats library noise.
	log.SetOutput(io.Discard)

	terminal := &consulcli.BasicUI{
		BasicUi: cli.BasicUi{Writer: os.Stdout, ErrorWriter: os.Stderr},
	}
	program := cli.CLI{
		Name:        "consul",
		Args:        os.Args[1:],
		Commands:    command.RegisteredCommands(terminal),
		HelpWriter:  os.Stdout,
		ErrorWriter: os.Stderr,
	}

	status, err := program.Run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}
