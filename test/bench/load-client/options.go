package main

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

type options struct {
	addr       string
	clients    int
	conns      int
	mode       string
	order      string
	names      string
	style      string
	targets    int
	targetsAll int
	targetTmpl string
	nodeID     string
	nodeClust  string
	nodeMeta   string
	types      string
	ramp       float64
	reconnect  int
	syncWait   time.Duration
	settle     time.Duration
	expect     int
	maxMsg     int
	total      time.Duration
	trigURL    string
	matchName  string
	matchType  string
	valueTmpl  string
	iters      int
	warmup     int
	interval   time.Duration
	changeWait time.Duration
	quiet      time.Duration
	pid        int
	label      string
	hold       time.Duration
	namespaces int
	agent      string
	agentVer   string
	churnURL   string
	churnRate  int
	churnTotal int
	services   int
	slow       int
	slowRate   int
	statsURL   string
	perIter    bool
	verbose    bool
	bound      bool
	resumeAddr string
	resumePid  int
}

const (
	limitClients = 5000
	limitIters   = 2000
	limitTotal   = time.Hour
	limitChurn   = 1 << 20
)

func parseFlags() *options {
	o := &options{}
	flag.StringVar(&o.addr, "addr", "127.0.0.1:15010", "control plane address (plaintext gRPC)")
	flag.IntVar(&o.clients, "clients", 1, "number of ADS streams")
	flag.IntVar(&o.conns, "conns", 0, "number of TCP connections shared by the streams; 0 = one per stream, as proxies do")
	flag.StringVar(&o.mode, "mode", "sotw", "protocol variant: sotw or delta")
	flag.StringVar(&o.order, "order", "envoy", "subscription order: envoy (CDS, EDS, LDS, RDS one after the other) or parallel (CDS and LDS at once)")
	flag.StringVar(&o.names, "names", "sorted", "order in which clients name resources: sorted, or own, which begins alike and goes on in another order for each client, always the same")
	flag.StringVar(&o.style, "style", "envoy", "who the clients are: envoy, or grpc, which dials -targets names and takes the listener, routes, cluster and endpoints of each by name (sotw only)")
	flag.IntVar(&o.targets, "targets", 10, "what each gRPC client dials: target 0 and others that its neighbours do not dial")
	flag.IntVar(&o.targetsAll, "targets-of", 1, "number of targets that there are")
	flag.StringVar(&o.targetTmpl, "target", "svc-{t}.mesh.internal:80", "name of the listener of a target; {t} = its number")
	flag.StringVar(&o.nodeID, "node-id", "client-{n}", "node id template; {n} = client number, {ip} = a unique 10.x address, {ns} = client number modulo -namespaces")
	flag.IntVar(&o.namespaces, "namespaces", 1, "what {ns} counts to")
	flag.StringVar(&o.agent, "user-agent", "envoy", "user agent name of the node")
	flag.StringVar(&o.agentVer, "user-agent-version", "1.40.0", "build version of the user agent, three numbers; empty = none")
	flag.StringVar(&o.nodeClust, "node-cluster", "", "node cluster template")
	flag.StringVar(&o.nodeMeta, "node-metadata", "", "node metadata as a JSON object (template), or @file")
	flag.StringVar(&o.types, "types", "cds,eds,lds,rds,vhds", "resource types to subscribe to; vhds only by delta, and only where a route configuration names it")
	flag.Float64Var(&o.ramp, "ramp", 0, "clients started per second; 0 = all at once")
	flag.IntVar(&o.reconnect, "reconnect", 0, "how often a client may open its stream again, with backoff, when the server ends it")
	flag.DurationVar(&o.syncWait, "sync-timeout", 120*time.Second, "give up when not all clients are in sync after this")
	flag.DurationVar(&o.settle, "settle", 1500*time.Millisecond, "quiet time after the initial sync, before the first change")
	flag.IntVar(&o.expect, "expect-clusters", 0, "a client is in sync only once it holds at least this many clusters")
	flag.IntVar(&o.maxMsg, "max-message", 512<<20, "largest gRPC message accepted, in bytes")
	flag.DurationVar(&o.total, "max-duration", 10*time.Minute, "hard limit for the whole run")
	flag.StringVar(&o.trigURL, "trigger-url", "", "URL to POST to which makes one change; {value} and {i} are replaced")
	flag.StringVar(&o.matchType, "match-type", "eds", "type of the resource which shows the change: eds looks for an endpoint with the value as address, cds, lds and rds for the value as text anywhere")
	flag.StringVar(&o.matchName, "match-cluster", "", "only look into resources of this name, for eds the ClusterLoadAssignment (empty = any)")
	flag.StringVar(&o.valueTmpl, "value", "10.250.{hi}.{lo}", "new endpoint address (or text); {hi} and {lo} count up, so each change has its own")
	flag.IntVar(&o.iters, "iterations", 0, "number of measured changes")
	flag.IntVar(&o.warmup, "warmup", 1, "changes made before measuring")
	flag.DurationVar(&o.interval, "interval", 500*time.Millisecond, "pause between changes")
	flag.DurationVar(&o.changeWait, "change-timeout", 30*time.Second, "give up on a change after this")
	flag.DurationVar(&o.quiet, "quiet", 300*time.Millisecond, "after the last client has a change, wait until nothing was received for this long; closes the byte count of the change")
	flag.StringVar(&o.churnURL, "churn-url", "", "URL to POST to which makes the changes {first} to {first}+{count}-1: change n gives an endpoint of service n modulo -churn-services the address 11.x.y.z, where x.y.z is n in base 256")
	flag.IntVar(&o.churnRate, "churn-rate", 100, "changes per second")
	flag.IntVar(&o.churnTotal, "churn-changes", 0, "number of changes of the churn")
	flag.IntVar(&o.services, "churn-services", 1, "number of services")
	flag.IntVar(&o.slow, "slow", 0, "so many clients, the first ones, read slowly from the initial sync until the changes are over")
	flag.IntVar(&o.slowRate, "slow-rate", 0, "bytes per second that a slow client reads; 0 = nothing")
	flag.StringVar(&o.statsURL, "stats-url", "", "URL whose JSON answer becomes part of the samples; asked before, after the initial sync, after the changes and when all are gone")
	flag.StringVar(&o.resumeAddr, "resume-addr", "", "in the end all clients leave and come, with what they hold, to the server at this address (delta only)")
	flag.IntVar(&o.resumePid, "resume-pid", 0, "process id of that server")
	flag.IntVar(&o.pid, "pid", 0, "server process id, for RSS and CPU samples (Linux /proc)")
	flag.StringVar(&o.label, "label", "", "free text, copied to the output")
	flag.DurationVar(&o.hold, "hold", 0, "stay connected this long after the last change")
	flag.BoolVar(&o.perIter, "per-change", false, "list each change")
	flag.BoolVar(&o.bound, "until-stdin-ends", false, "end when standard input ends, so as not to outlive who started this")
	flag.BoolVar(&o.verbose, "v", false, "log to stderr")
	flag.Parse()

	if o.clients < 1 || o.clients > limitClients {
		fatal("-clients must be 1..%d", limitClients)
	}
	if o.iters < 0 || o.iters+o.warmup > limitIters {
		fatal("-iterations plus -warmup must be at most %d", limitIters)
	}
	if o.total <= 0 || o.total > limitTotal {
		fatal("-max-duration must be at most %s", limitTotal)
	}
	if o.mode != "sotw" && o.mode != "delta" {
		fatal("-mode must be sotw or delta")
	}
	if typeByShort[o.matchType] == "" {
		fatal("-match-type: %q", o.matchType)
	}
	if o.order != "envoy" && o.order != "parallel" {
		fatal("-order must be envoy or parallel")
	}
	if o.names != "sorted" && o.names != "own" {
		fatal("-names must be sorted or own")
	}
	if o.style != "envoy" && o.style != "grpc" {
		fatal("-style must be envoy or grpc")
	}
	if o.style == "grpc" && (o.mode != "sotw" || o.targets < 1 || o.targetsAll < 1) {
		fatal("-style grpc needs -mode sotw, and -targets and -targets-of from 1")
	}
	if o.iters > 0 && o.trigURL == "" {
		fatal("-iterations needs -trigger-url")
	}
	if o.churnTotal < 0 || o.churnTotal > limitChurn || o.churnTotal > 0 && (o.churnURL == "" || o.churnRate < 1 || o.services < 1) {
		fatal("-churn-changes must be at most %d, and needs -churn-url, -churn-rate and -churn-services", limitChurn)
	}
	if o.slow < 0 || o.slow >= o.clients && o.slow > 0 || o.slowRate < 0 {
		fatal("-slow must be below -clients")
	}
	if o.resumeAddr != "" && o.mode != "delta" {
		fatal("-resume-addr needs -mode delta")
	}
	if o.namespaces < 1 {
		fatal("-namespaces must be at least 1")
	}
	if o.agentVer != "" && versionOf(o.agentVer) == nil {
		fatal("-user-agent-version: %q", o.agentVer)
	}
	if strings.HasPrefix(o.nodeMeta, "@") {
		b, err := os.ReadFile(o.nodeMeta[1:])
		if err != nil {
			fatal("%v", err)
		}
		o.nodeMeta = string(b)
	}
	return o
}

func fatal(f string, a ...any) {
	fmt.Fprintf(os.Stderr, "load-client: "+f+"\n", a...)
	os.Exit(2)
}

// versionOf reads three numbers with dots between them; nil if it is something else.
func versionOf(text string) []uint32 {
	var v []uint32
	for _, part := range strings.Split(text, ".") {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return nil
		}
		v = append(v, uint32(n))
	}
	if len(v) != 3 {
		return nil
	}
	return v
}
