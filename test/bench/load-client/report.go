package main

type syncReport struct {
	OK       bool    `json:"ok"`
	Synced   int     `json:"clients_in_sync"`
	AllSec   float64 `json:"all_clients_s"`
	FirstSec float64 `json:"first_response_s"`
	Client   *dist   `json:"per_client"`
	// Clients whose virtual hosts come by VHDS.
	WithVHDS  int                  `json:"clients_with_vhds"`
	Payload   int64                `json:"payload_bytes"`
	WireRx    int64                `json:"wire_bytes_received"`
	WireTx    int64                `json:"wire_bytes_sent"`
	Responses int64                `json:"responses"`
	Requests  int64                `json:"requests"`
	Reconns   int64                `json:"reconnects"`
	Types     map[string]typeCount `json:"types"`
}

type changeReport struct {
	Value     string               `json:"value"`
	TriggerMs float64              `json:"trigger_ms"`
	Got       int                  `json:"clients"`
	FirstMs   float64              `json:"first_ms"`
	AllMs     float64              `json:"all_ms"`
	Payload   int64                `json:"payload_bytes"`
	WireRx    int64                `json:"wire_bytes_received"`
	Responses int64                `json:"responses"`
	Types     map[string]typeCount `json:"types,omitempty"`
}

type propReport struct {
	Changes        int                  `json:"changes"`
	Missed         int                  `json:"client_changes_missed"`
	Latency        *dist                `json:"latency_from_trigger_start"`
	FromReturn     *dist                `json:"latency_from_trigger_return"`
	All            *dist                `json:"all_clients_have_it"`
	Trigger        *dist                `json:"trigger_duration"`
	PayloadPer     float64              `json:"payload_bytes_per_change"`
	PayloadPerCl   float64              `json:"payload_bytes_per_change_and_client"`
	WireRxPer      float64              `json:"wire_bytes_received_per_change"`
	ResponsesPer   float64              `json:"responses_per_change"`
	TypesPerChange map[string]typeCount `json:"types_all_changes"`
	ServerCPUPer   float64              `json:"server_cpu_ms_per_change"`
	Each           []changeReport       `json:"each,omitempty"`
}

type churnReport struct {
	Changes int `json:"changes"`
	// Changes per second that were made.
	Rate float64 `json:"changes_per_s"`
	// Client and service pairs which never saw the newest value.
	Lost int64 `json:"lost"`
	// From a change until a client has its value or a newer one of the same service.
	Latency *dist `json:"latency"`
	// The same for slow clients.
	Slow *dist `json:"slow_latency,omitempty"`
	// From the last change until every client has every newest value.
	DrainSec     float64              `json:"drain_s"`
	Payload      int64                `json:"payload_bytes"`
	ServerCPUPer float64              `json:"server_cpu_ms_per_change"`
	Types        map[string]typeCount `json:"types"`
}

type resumeReport struct {
	// From the first connection until the last byte that was received.
	LastSec   float64              `json:"last_response_s"`
	Payload   int64                `json:"payload_bytes"`
	Requests  int64                `json:"requests"`
	ServerCPU float64              `json:"server_cpu_s"`
	Types     map[string]typeCount `json:"types"`
}

type report struct {
	Label   string             `json:"label,omitempty"`
	Time    string             `json:"time"`
	Addr    string             `json:"addr"`
	Mode    string             `json:"mode"`
	Order   string             `json:"order"`
	Clients int                `json:"clients"`
	Sync    *syncReport        `json:"sync"`
	Prop    *propReport        `json:"propagation,omitempty"`
	Churn   *churnReport       `json:"churn,omitempty"`
	Resume  *resumeReport      `json:"resume,omitempty"`
	Samples map[string]*sample `json:"samples"`
	Error   string             `json:"error,omitempty"`
}
