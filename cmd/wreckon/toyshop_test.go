package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// toyshop is somebody's service, which knows nothing of Wreckon: it accepts orders over HTTP, charges each at a payment provider, and keeps
// them in a file of its working directory. It does it right, but for the mood it is in:
//
//	fickle     charges under a new key at each attempt; publishes without an id
//	boastful   its spans say that it has charged, whatever the provider said
//	forgetful  answers before it has written the order down
//	deaf       does not end when it is told to
func toyshop() {
	listen := flag.String("listen", "", "")
	payments := flag.String("payments", "", "")
	bus := flag.String("bus", "", "publish what is paid, and charge nobody")
	mood := flag.String("mood", "", "")
	flag.Parse()
	s := &toy{payments: *payments, mood: *mood, bus: *bus, orders: map[string]*toyOrder{}}
	if err := s.load(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		if *mood != "deaf" {
			os.Exit(0)
		}
	}()
	http.HandleFunc("POST /orders", s.accept)
	http.HandleFunc("GET /orders/{id}", s.show)
	http.HandleFunc("GET /work", s.work)
	http.HandleFunc("GET /trail", s.trail)
	fmt.Println(http.ListenAndServe(*listen, nil))
	os.Exit(1)
}

type toy struct {
	payments, mood, bus string

	dialling sync.Mutex
	js       jetstream.JetStream

	mu     sync.Mutex
	file   *os.File
	orders map[string]*toyOrder
	lines  []json.RawMessage
}

type toyOrder struct {
	N      int    `json:"n"`
	ID     string `json:"id"`
	Amount int    `json:"amount"`
	Card   string `json:"card"`
	State  string `json:"state"`
}

// load reads the orders back, and goes on with those that are not done.
func (s *toy) load() (err error) {
	if s.file, err = os.OpenFile("orders.jsonl", os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o644); err != nil {
		return err
	}
	for sc := bufio.NewScanner(s.file); sc.Scan(); {
		var o toyOrder
		if json.Unmarshal(sc.Bytes(), &o) == nil { // the last line may be torn
			s.orders[o.ID] = &o
			s.lines = append(s.lines, bytes.Clone(sc.Bytes()))
		}
	}
	for _, o := range s.orders {
		if o.State == "new" {
			go s.charge(o)
		}
	}
	return nil
}

// write makes a state durable. The lock is held.
func (s *toy) write(o *toyOrder) {
	o.N = len(s.lines) + 1
	line, _ := json.Marshal(o)
	s.lines = append(s.lines, line)
	_, _ = s.file.Write(append(line, '\n'))
}

func (s *toy) accept(w http.ResponseWriter, r *http.Request) {
	var o toyOrder
	if json.NewDecoder(r.Body).Decode(&o) != nil || o.ID == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.orders[o.ID] == nil {
		o.State = "new"
		s.orders[o.ID] = &o
		if s.mood == "forgetful" {
			time.AfterFunc(50*time.Millisecond, func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.write(&o)
				go s.charge(&o)
			})
		} else {
			s.write(&o)
			go s.charge(&o)
		}
	}
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"order":{"id":%q}}`, o.ID)
}

// charge tries until the provider has answered.
func (s *toy) charge(o *toyOrder) {
	for attempt := 1; ; attempt++ {
		key := o.ID
		if s.mood == "fickle" {
			key = fmt.Sprintf("%s/%d/%d", o.ID, os.Getpid(), attempt)
		}
		body := fmt.Sprintf(`{"order":%q,"amount":%d,"card":%q}`, o.ID, o.Amount, o.Card)
		req, _ := http.NewRequest(http.MethodPost, s.payments+"/charges", strings.NewReader(body))
		req.Header.Set("Idempotency-Key", key)
		req.GetBody = nil
		client := http.Client{Timeout: 300 * time.Millisecond}
		if s.bus != "" {
			if s.publish(o, body) == nil {
				s.mu.Lock()
				defer s.mu.Unlock()
				o.State = "paid"
				s.write(o)
				return
			}
			time.Sleep(20 * time.Millisecond)
			continue
		}
		resp, err := client.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode < 500 {
				s.mu.Lock()
				defer s.mu.Unlock()
				o.State = map[bool]string{true: "paid", false: "declined"}[resp.StatusCode < 300]
				if s.mood == "boastful" {
					s.tell(o.ID, "paid")
				} else {
					s.tell(o.ID, o.State)
				}
				s.write(o)
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *toy) show(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[r.PathValue("id")]
	if o == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"order": o})
}

func (s *toy) work(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := 0
	for _, o := range s.orders {
		if o.State == "new" {
			open++
		}
	}
	fmt.Fprintf(w, `{"open": %d}`, open)
}

func (s *toy) trail(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(map[string]any{"entries": s.lines})
}
