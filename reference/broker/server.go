// Package broker is the way between the services: an embedded NATS server with JetStream, a connection that never gives up, and
// consumers that never stall.
//
// Promise: what Publish returned nil for is on the broker's disk and will be delivered, again and again, until a handler has
// returned nil for it. The broker may be killed and started again on the same directory, connections may be cut, held or swallowed:
// as soon as there is a way again, delivery goes on.
//
// How: streams with file storage that keep a message until its consumer acknowledged it; durable pull consumers with explicit
// acknowledgement after the work is committed. Cost: a round trip for each message out and one for each message in. Breaks: the
// server writes before it confirms and does not wait for the platter, so a power cut may take the last messages; within a stream, a
// redelivered message comes after younger ones.
//
// It must never know what the messages mean.
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The streams, each with the subjects that its name in lower case begins.
var streams = []string{"ORDERS", "COMMANDS", "REPLIES", "AUDIT"}

var subjects = map[string]string{"ORDERS": "orders.>", "COMMANDS": "commands.>", "REPLIES": "replies.>", "AUDIT": "audit.>"}

// dedupWindow is how long the server drops a second message with the id of an earlier one. Later copies are left to the inbox.
const dedupWindow = 2 * time.Minute

// startTimeout is how long a broker may take to read its streams and to listen.
const startTimeout = 10 * time.Second

// Server is a running broker.
type Server struct{ nats *server.Server }

// Serve starts a broker that listens on addr and keeps its streams in dir. It returns when clients can connect and the streams are
// there.
func Serve(ctx context.Context, addr, dir string, log *slog.Logger) (*Server, error) {
	host, port, err := split(addr)
	if err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	ns, err := server.NewServer(&server.Options{
		ServerName: "broker",
		Host:       host,
		Port:       port,
		JetStream:  true,
		StoreDir:   dir,
		NoSigs:     true, // the process has a handler of its own
		// A client that was cut off silently is given up soon, so that what was sent into the void is delivered elsewhere.
		PingInterval: time.Second,
		MaxPingsOut:  2,
	})
	if err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	ns.SetLoggerV2(logger{log}, false, false, false)
	go ns.Start()
	s := &Server{nats: ns}
	if err := s.ready(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("start broker: %w", err)
	}
	return s, nil
}

func split(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, err
}

// ready waits for the listener and makes sure that the streams exist, over a connection that needs no listener.
func (s *Server) ready(ctx context.Context) error {
	if err := s.listening(ctx); err != nil {
		return err
	}
	nc, err := nats.Connect("", nats.InProcessServer(s.nats))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	for _, name := range streams {
		_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
			Name:       name,
			Subjects:   []string{subjects[name]},
			Storage:    jetstream.FileStorage,
			Retention:  jetstream.WorkQueuePolicy,
			Duplicates: dedupWindow,
		})
		if err != nil {
			return fmt.Errorf("create stream %s: %w", name, err)
		}
	}
	return nil
}

// listening waits for the listener. The server's own way to wait looks every 25 ms, which is longer than it takes to start.
func (s *Server) listening(ctx context.Context) error {
	for end := time.Now().Add(startTimeout); time.Now().Before(end); {
		if s.nats.ReadyForConnections(time.Millisecond) {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return errors.New("server does not accept connections")
}

// Addr is where it listens.
func (s *Server) Addr() string { return s.nats.Addr().String() }

// Pending is how many messages no consumer has acknowledged yet.
func (s *Server) Pending() (int64, error) {
	info, err := s.nats.Jsz(&server.JSzOptions{Accounts: true, Streams: true})
	if err != nil {
		return 0, fmt.Errorf("count pending messages: %w", err)
	}
	var pending int64
	for _, account := range info.AccountDetails {
		for _, stream := range account.Streams {
			pending += int64(stream.State.Msgs) // a stream keeps exactly what is not acknowledged
		}
	}
	return pending, nil
}

// Close shuts the broker down in good order.
func (s *Server) Close() {
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
}

// logger brings what the server says into our log. Its notices are about itself and of no use here.
type logger struct{ log *slog.Logger }

func (l logger) Noticef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l logger) Warnf(format string, v ...any)   { l.log.Warn(fmt.Sprintf(format, v...)) }
func (l logger) Errorf(format string, v ...any)  { l.log.Error(fmt.Sprintf(format, v...)) }
func (l logger) Fatalf(format string, v ...any)  { l.log.Error(fmt.Sprintf(format, v...)) }
func (l logger) Debugf(string, ...any)           {}
func (l logger) Tracef(string, ...any)           {}
