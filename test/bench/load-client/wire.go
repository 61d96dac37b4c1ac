package main

import (
	"fmt"
	"net"
	"sync/atomic"

	"google.golang.org/protobuf/encoding/protowire"
)

// rawCodec hands gRPC message bodies over as bytes, so that a time stamp can be
// taken before any decoding, and so that the client costs little CPU.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }
func (rawCodec) Marshal(v any) ([]byte, error) {
	b, ok := v.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("rawCodec: %T", v)
	}
	return *b, nil
}
func (rawCodec) Unmarshal(data []byte, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("rawCodec: %T", v)
	}
	*b = append((*b)[:0], data...)
	return nil
}

// countConn counts bytes on the wire (HTTP/2 frames included).
type countConn struct {
	net.Conn
	rx, tx *atomic.Int64
}

func (c countConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.rx.Add(int64(n))
	return n, err
}
func (c countConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.tx.Add(int64(n))
	return n, err
}

// item is one resource of a response: for SotW only the Any value is set, for
// delta also name and version.
type item struct {
	name    string
	version string
	value   []byte
}

type response struct {
	typeURL, nonce, version string
	items                   []item
	removed                 []string
}

// fields walks over the length-delimited fields of a message.
func fields(b []byte, f func(num protowire.Number, v []byte) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if typ == protowire.BytesType {
			v, m := protowire.ConsumeBytes(b)
			if m < 0 {
				return protowire.ParseError(m)
			}
			if err := f(num, v); err != nil {
				return err
			}
			b = b[m:]
			continue
		}
		m := protowire.ConsumeFieldValue(num, typ, b)
		if m < 0 {
			return protowire.ParseError(m)
		}
		b = b[m:]
	}
	return nil
}

func anyValue(b []byte) (val []byte, err error) {
	err = fields(b, func(num protowire.Number, v []byte) error {
		if num == 2 {
			val = v
		}
		return nil
	})
	return
}

// parseSotw reads a DiscoveryResponse: 1 version, 2 resources, 4 type, 5 nonce.
func parseSotw(b []byte) (*response, error) {
	r := &response{}
	err := fields(b, func(num protowire.Number, v []byte) error {
		switch num {
		case 1:
			r.version = string(v)
		case 2:
			val, err := anyValue(v)
			if err != nil {
				return err
			}
			r.items = append(r.items, item{value: val})
		case 4:
			r.typeURL = string(v)
		case 5:
			r.nonce = string(v)
		}
		return nil
	})
	return r, err
}

// parseDelta reads a DeltaDiscoveryResponse: 1 system version, 2 resources
// (Resource: 1 version, 2 resource, 3 name), 4 type, 5 nonce, 6 removed resources.
func parseDelta(b []byte) (*response, error) {
	r := &response{}
	err := fields(b, func(num protowire.Number, v []byte) error {
		switch num {
		case 1:
			r.version = string(v)
		case 2:
			it := item{}
			err := fields(v, func(n protowire.Number, w []byte) error {
				switch n {
				case 1:
					it.version = string(w)
				case 2:
					val, err := anyValue(w)
					if err != nil {
						return err
					}
					it.value = val
				case 3:
					it.name = string(w)
				}
				return nil
			})
			if err != nil {
				return err
			}
			r.items = append(r.items, it)
		case 4:
			r.typeURL = string(v)
		case 5:
			r.nonce = string(v)
		case 6:
			r.removed = append(r.removed, string(v))
		}
		return nil
	})
	return r, err
}

// nameOf reads field 1 (name or cluster_name) of a resource.
func nameOf(b []byte) string {
	name := ""
	_ = fields(b, func(num protowire.Number, v []byte) error {
		if num == 1 && name == "" {
			name = string(v)
		}
		return nil
	})
	return name
}
