// Package otlp receives OpenTelemetry spans over OTLP/HTTP and keeps them as lines of JSON.
//
// A span that is there proves that its operation ended, as its sender tells it. One that is not there proves nothing: senders drop spans, and
// one that was killed took its last ones with it. Nor does a span's time order it against anything that another clock has told. So spans are kept
// beside the history, for people, and no verdict rests on one that is not there.
//
// It must never know what the spans mean.
package otlp

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Span is one operation of one process.
type Span struct {
	Trace      string         `json:"trace"` // in hex, as everywhere here
	ID         string         `json:"span"`
	Parent     string         `json:"parent,omitempty"`
	Service    string         `json:"service,omitempty"`
	Name       string         `json:"name"`
	Kind       string         `json:"kind"` // server, client, producer, consumer, internal, unspecified
	Start      time.Time      `json:"start"`
	End        time.Time      `json:"end"`
	Status     string         `json:"status"` // unset, ok, error
	Message    string         `json:"message,omitempty"`
	Attributes map[string]any `json:"attributes,omitempty"`
	Links      []Link         `json:"links,omitempty"`
	Events     []Event        `json:"events,omitempty"`
}

// Link names another span that this one has to do with.
type Link struct {
	Trace string `json:"trace"`
	ID    string `json:"span"`
}

// Event is an instant within a span.
type Event struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"`
}

// ReadFile reads spans that a Receiver has written, each once, though its sender may have sent it twice. A last line that is cut off is
// left out. A file that is not there has none.
func ReadFile(path string) ([]Span, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read spans: %w", err)
	}
	defer f.Close()
	type identity struct{ trace, id string }
	seen := map[identity]bool{}
	var spans []Span
	r := bufio.NewReader(f)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return spans, nil
		}
		if err != nil {
			return spans, fmt.Errorf("read spans: %w", err)
		}
		var s Span
		if err := json.Unmarshal(line, &s); err != nil {
			return spans, fmt.Errorf("read %s, line %d: %w", filepath.Base(path), n, err)
		}
		if id := (identity{s.Trace, s.ID}); !seen[id] {
			seen[id] = true
			spans = append(spans, s)
		}
	}
}
