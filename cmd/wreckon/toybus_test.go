package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	natsd "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// toybus is a NATS, as somebody would run it: with JetStream, which keeps what it stores in the working directory.
func toybus() {
	listen := flag.String("listen", "", "")
	flag.Parse()
	host, text, _ := net.SplitHostPort(*listen)
	port, _ := strconv.Atoi(text)
	s, err := natsd.NewServer(&natsd.Options{Host: host, Port: port, JetStream: true, StoreDir: ".", NoSigs: true})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	s.Start()
	<-stop
	s.Shutdown()
}

// publish says that an order is paid, under its id, so that the stream stores it once, however often it is said. A fickle shop has no id.
func (s *toy) publish(o *toyOrder, body string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	js, err := s.stream(ctx)
	if err != nil {
		return err
	}
	m := &nats.Msg{Subject: "orders.paid", Data: []byte(body), Header: nats.Header{}}
	if s.mood != "fickle" {
		m.Header.Set(jetstream.MsgIDHeader, o.ID)
	}
	_, err = js.PublishMsg(ctx, m)
	return err
}

// stream is where all publish, over one connection, as long as that holds.
func (s *toy) stream(ctx context.Context) (jetstream.JetStream, error) {
	s.dialling.Lock()
	defer s.dialling.Unlock()
	if s.js != nil && s.js.Conn().IsConnected() {
		return s.js, nil
	}
	conn, err := nats.Connect(s.bus, nats.NoReconnect())
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(conn)
	if err == nil {
		_, err = js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}})
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	s.js = js
	return js, nil
}

// tell sends a span of a charge, where somebody wants spans. It does not care whether that arrives.
func (s *toy) tell(order, outcome string) {
	endpoint := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")
	if endpoint == "" {
		return
	}
	now := time.Now().UnixNano()
	body := fmt.Sprintf(`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"spans":[
		{"traceId":"%032x","spanId":"%016x","name":"charge","kind":1,"startTimeUnixNano":"%d","endTimeUnixNano":"%[3]d",
		"attributes":[{"key":"order.id","value":{"stringValue":%[4]q}},{"key":"outcome","value":{"stringValue":%[5]q}}]}]}]}]}`, now, now, now, order, outcome)
	if resp, err := http.Post(endpoint+"/v1/traces", "application/json", strings.NewReader(body)); err == nil {
		_ = resp.Body.Close()
	}
}
