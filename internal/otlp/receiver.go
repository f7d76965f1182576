package otlp

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// maxBody bounds a request, as it is once it is unpacked.
const maxBody = 64 << 20

// Receiver takes spans at addresses of its own and appends them to a file.
type Receiver struct {
	server  *http.Server
	serving sync.WaitGroup

	mu   sync.Mutex // guards what follows
	file *os.File
	out  *bufio.Writer
	kept int
	err  error // the first failure to write
}

// NewReceiver appends what comes to the file at path, once it listens.
func NewReceiver(path string) (*Receiver, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("receive spans: %w", err)
	}
	r := &Receiver{file: f, out: bufio.NewWriterSize(f, 64<<10)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", r.traces)
	r.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	return r, nil
}

// Listen takes spans at addr, too, until Close. endpoint is what OTEL_EXPORTER_OTLP_ENDPOINT is set to for them to come here.
func (r *Receiver) Listen(addr string) (endpoint string, err error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("receive spans: %w", err)
	}
	r.serving.Go(func() { _ = r.server.Serve(l) }) // it ends because Close closes it
	return "http://" + l.Addr().String(), nil
}

// Flush brings what has come so far to the file, and says how many spans that is.
func (r *Receiver) Flush() (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = r.out.Flush()
	}
	return r.kept, r.err
}

// Close takes nothing more in, and closes the file. It is called once.
func (r *Receiver) Close(ctx context.Context) error {
	err := r.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, r.server.Close())
	}
	r.serving.Wait()
	_, werr := r.Flush()
	if err := errors.Join(err, werr, r.file.Close()); err != nil {
		return fmt.Errorf("stop receiving spans: %w", err)
	}
	return nil
}

func (r *Receiver) traces(w http.ResponseWriter, req *http.Request) {
	kind, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if kind != "application/x-protobuf" && kind != "application/json" {
		http.Error(w, "want application/x-protobuf or application/json", http.StatusUnsupportedMediaType)
		return
	}
	body, status, err := unpack(w, req)
	if err != nil {
		http.Error(w, err.Error(), status)
		return
	}
	asked := ptraceotlp.NewExportRequest()
	if kind == "application/json" {
		err = asked.UnmarshalJSON(body)
	} else {
		err = asked.UnmarshalProto(body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	spans, refused := decode(asked.Traces())
	if err := r.keep(spans); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	answer := ptraceotlp.NewExportResponse()
	if refused > 0 {
		answer.PartialSuccess().SetRejectedSpans(int64(refused))
		answer.PartialSuccess().SetErrorMessage("a span has a trace id and a span id that are not all zeros")
	}
	marshal := answer.MarshalProto
	if kind == "application/json" {
		marshal = answer.MarshalJSON
	}
	text, err := marshal()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(text) // a sender that is gone sends again
}

// unpack reads a body, packed or not.
func unpack(w http.ResponseWriter, req *http.Request) (body []byte, status int, err error) {
	var in io.Reader = http.MaxBytesReader(w, req.Body, maxBody)
	switch req.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip":
		if in, err = gzip.NewReader(in); err != nil {
			return nil, http.StatusBadRequest, fmt.Errorf("unpack body: %w", err)
		}
	default:
		return nil, http.StatusUnsupportedMediaType, errors.New("want gzip, or nothing packed")
	}
	body, err = io.ReadAll(io.LimitReader(in, maxBody+1))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long), len(body) > maxBody:
		return nil, http.StatusRequestEntityTooLarge, fmt.Errorf("body is longer than %d bytes", maxBody)
	case err != nil:
		return nil, http.StatusBadRequest, fmt.Errorf("read body: %w", err)
	}
	return body, 0, nil
}

func (r *Receiver) keep(spans []Span) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	enc := json.NewEncoder(r.out)
	enc.SetEscapeHTML(false)
	for _, s := range spans {
		if r.err = enc.Encode(s); r.err != nil {
			return r.err
		}
		r.kept++
	}
	return nil
}
