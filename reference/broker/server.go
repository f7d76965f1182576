// Package broker is the way between the services: an embedded NATS server with JetStream, a connection that never gives up, and
// consumers that never stall.
//
// Promise: what Publish returned nil for is on the broker's disk and will be delivered, again and again, until a handler has
// returned nil for it. The broker may be killed and started again on the same directory, connections may be cut, held or swallowed:
// as soon as there is a way again, delivery goes on.
//
// How: streams with file storage; durable pull consumers with explicit acknowledgement after the work is committed; and a broom that
// comes by every few seconds and sweeps out what every consumer has acknowledged. The server could drop each message as it is
// acknowledged (a work queue), but then a crash catches it in the middle of removing something far more often, and a stream that is
// empty most of the time has to remember where it was. Cost: a round trip for each message out and one for each message in. Breaks: the
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

// Stream is a stream of the order service.
type Stream struct {
	Name     string
	Subjects string
	// Consumers are all that read it. Nothing is swept out before each of them has acknowledged it, also not before it was ever there.
	Consumers []string
}

// dedupWindow is how long the server drops a second message with the id of an earlier one. Later copies are left to the inbox.
const dedupWindow = 2 * time.Minute

// startTimeout is how long a broker may take to read its streams and to listen.
const startTimeout = 10 * time.Second

// sweepEvery is how often the broom comes by.
const sweepEvery = 5 * time.Second

// Server is a running broker.
type Server struct {
	nats    *server.Server
	streams []Stream
	log     *slog.Logger
	stop    context.CancelFunc // of the broom
	swept   chan struct{}      // closed when it is gone
}

// Serve starts a broker that listens on addr and keeps streams in dir. It returns when clients can connect and the streams are there;
// ctx bounds only that.
func Serve(ctx context.Context, addr, dir string, streams []Stream, log *slog.Logger) (*Server, error) {
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
	broom, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &Server{nats: ns, streams: streams, log: log, stop: stop, swept: make(chan struct{})}
	if err := s.ready(ctx); err != nil {
		close(s.swept)
		s.Close()
		return nil, fmt.Errorf("start broker: %w", err)
	}
	go func() {
		defer close(s.swept)
		s.keepSweeping(broom)
	}()
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
	return s.inside(func(js jetstream.JetStream) error {
		for _, stream := range s.streams {
			_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
				Name:       stream.Name,
				Subjects:   []string{stream.Subjects},
				Storage:    jetstream.FileStorage,
				Retention:  jetstream.LimitsPolicy,
				Duplicates: dedupWindow,
			})
			if err != nil {
				return fmt.Errorf("create stream %s: %w", stream.Name, err)
			}
		}
		return nil
	})
}

// inside runs fn with a connection that no proxy and no listener is between.
func (s *Server) inside(fn func(jetstream.JetStream) error) error {
	nc, err := nats.Connect("", nats.InProcessServer(s.nats))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	return fn(js)
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

// Pending is how many messages wait for a consumer or for its acknowledgement.
func (s *Server) Pending() (int64, error) {
	info, err := s.nats.Jsz(&server.JSzOptions{Accounts: true, Streams: true, Consumer: true})
	if err != nil {
		return 0, fmt.Errorf("count pending messages: %w", err)
	}
	var pending int64
	for _, account := range info.AccountDetails {
		for _, stream := range account.Streams {
			for _, c := range stream.Consumer {
				pending += int64(c.NumPending) + int64(c.NumAckPending)
			}
		}
	}
	return pending, nil
}

// Close shuts the broker down in good order.
func (s *Server) Close() {
	s.stop()
	<-s.swept
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
