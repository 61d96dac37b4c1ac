package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

type sample struct {
	RSSMiB   float64 `json:"rss_mib"`
	PeakMiB  float64 `json:"peak_rss_mib"`
	CPUSec   float64 `json:"cpu_s"`
	Threads  int     `json:"threads"`
	WallSec  float64 `json:"at_s"`
	ClientCS float64 `json:"client_cpu_s"`
	// What the server itself says.
	Server json.RawMessage `json:"server,omitempty"`
}

func takeSample(pid int, start time.Time) *sample {
	s := &sample{WallSec: round(time.Since(start).Seconds(), 3)}
	var ru syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &ru) == nil {
		s.ClientCS = round(float64(ru.Utime.Sec+ru.Stime.Sec)+float64(ru.Utime.Usec+ru.Stime.Usec)/1e6, 2)
	}
	if pid <= 0 {
		return s
	}
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
		for _, line := range strings.Split(string(b), "\n") {
			f := strings.Fields(line)
			if len(f) < 2 {
				continue
			}
			v, _ := strconv.ParseFloat(f[1], 64)
			switch f[0] {
			case "VmRSS:":
				s.RSSMiB = round(v/1024, 1)
			case "VmHWM:":
				s.PeakMiB = round(v/1024, 1)
			case "Threads:":
				s.Threads = int(v)
			}
		}
	}
	s.CPUSec = cpuSeconds(pid)
	return s
}

// cpuSeconds is the CPU time of all threads of a process, from its own clock,
// which counts nanoseconds.
func cpuSeconds(pid int) float64 {
	var ts syscall.Timespec
	// The clock of a process: see clock_getcpuclockid(3).
	clock := uintptr(uint32(^pid<<3 | 2))
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return 0
	}
	return float64(ts.Sec) + float64(ts.Nsec)/1e9
}

var httpClient = &http.Client{Timeout: 60 * time.Second}

// askServer adds the server's own figures to a sample.
func askServer(url string, s *sample) error {
	if url == "" {
		return nil
	}
	res, err := httpClient.Get(url)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || !json.Valid(b) {
		return fmt.Errorf("%s: %s", url, res.Status)
	}
	s.Server = b
	return nil
}
