package file

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wreckon/wreckon/internal/postgres"
)

// row is one thing that was read: fields with their values, and the text that they were read from.
type row struct {
	fields any
	text   string
}

func (r row) at(path string) string {
	if path == "" {
		return ""
	}
	return field(r.fields, path)
}

// is tells whether a row says what is asked for, at every place.
func (r row) is(when map[string]string) bool {
	for place, text := range when {
		if r.at(place) != text {
			return false
		}
	}
	return true
}

// number is a field that is a number, or the only one where no field is named.
func (r row) number(path string) (json.Number, error) {
	v, ok := within(r.fields, path)
	if m, several := v.(map[string]any); path == "" && several && len(m) == 1 {
		for _, only := range m {
			v = only
		}
	}
	if n, is := v.(json.Number); ok && is {
		return n, nil
	}
	return "", fmt.Errorf("want a number at %q, not %s", path, clip(r.text, 200))
}

// sources is where rows are read, past every proxy.
type sources struct {
	*instance
	http *http.Client

	mu    sync.Mutex
	pools map[string]*pgxpool.Pool
}

func newSources(i *instance) *sources {
	return &sources{instance: i, http: direct(), pools: map[string]*pgxpool.Pool{}}
}

func (s *sources) close() {
	s.http.CloseIdleConnections()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pools {
		p.Close()
	}
}

// who is the component that rows are read from.
func (f source) who() string {
	return cmp.Or(f.Database, f.Broker, f.Component)
}

// flows tells that messages come from there by themselves. Anything else is read whenever somebody wants to know.
func (f source) flows() bool { return f.Broker != "" && f.List == "" }

// rows reads all rows, or those behind a cursor where the request has a place for one.
func (s *sources) rows(ctx context.Context, from source, cursor string) (list []row, err error) {
	switch {
	case from.Database != "":
		list, err = s.query(ctx, from)
	case from.Broker != "":
		list, err = s.list(ctx, from)
	default:
		list, err = s.get(ctx, from, cursor)
	}
	if err != nil {
		return nil, fmt.Errorf("read rows of %s: %w", from.who(), err)
	}
	return list, nil
}

func (s *sources) get(ctx context.Context, from source, cursor string) ([]row, error) {
	addr := s.w.Listen[from.Component]
	if from.Control {
		addr = s.w.Control[from.Component]
	}
	names := map[string]string{"cursor": url.QueryEscape(cursor), "token": s.w.Token}
	path, err := expand(strings.TrimPrefix(from.Request, "GET "), in(names))
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return nil, err
	}
	for key, text := range from.Headers {
		if text, err = expand(text, in(names)); err != nil {
			return nil, err
		}
		req.Header.Set(key, text)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s answered %s", path, resp.Status)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxBody {
		return nil, fmt.Errorf("GET %s answered more than %d MB", path, maxBody>>20)
	}
	return parseRows(raw, from.Items)
}

// parseRows reads a list, at a place of an object or by itself, or JSON Lines. An object that is no list is one row.
func parseRows(raw []byte, items string) ([]row, error) {
	raw = bytes.TrimSpace(raw)
	whole := decode(raw)
	if items == "" && (whole == nil || bytes.IndexByte(raw, '\n') > 0 && raw[0] == '{' && isLines(raw)) {
		return lines(raw)
	}
	found, ok := within(whole, items)
	if !ok {
		return nil, fmt.Errorf("the answer has no %q: %s", items, clip(string(raw), 200))
	}
	list, several := found.([]any)
	if !several {
		list = []any{found}
	}
	rows := make([]row, 0, len(list))
	for _, v := range list {
		text, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{v, string(text)})
	}
	return rows, nil
}

// isLines tells JSON Lines from one object over several lines: the first line is whole.
func isLines(raw []byte) bool {
	first, _, _ := bytes.Cut(raw, []byte("\n"))
	return json.Valid(first)
}

func lines(raw []byte) ([]row, error) {
	var rows []row
	sc := bufio.NewScanner(bytes.NewReader(raw))
	sc.Buffer(make([]byte, 64<<10), maxBody)
	for sc.Scan() {
		if len(bytes.TrimSpace(sc.Bytes())) == 0 {
			continue
		}
		v := decode(sc.Bytes())
		if v == nil {
			return nil, fmt.Errorf("line %d is no JSON: %s", len(rows)+1, clip(sc.Text(), 200))
		}
		rows = append(rows, row{v, sc.Text()})
	}
	return rows, sc.Err()
}

// query asks a database. PostgreSQL itself makes JSON of the rows, whatever their types are.
func (s *sources) query(ctx context.Context, from source) ([]row, error) {
	pool, err := s.pool(from.Database)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	found, err := pool.Query(ctx, "SELECT row_to_json(q)::text FROM ("+strings.TrimRight(from.Query, " \t\n;")+") AS q")
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var rows []row
	for found.Next() {
		var text string
		if err := found.Scan(&text); err != nil {
			return nil, err
		}
		rows = append(rows, row{decode([]byte(text)), text})
	}
	return rows, found.Err()
}

// list reads what is in a list of Redis, and takes nothing away.
func (s *sources) list(ctx context.Context, from source) ([]row, error) {
	client, err := dialRedis(ctx, s.expander(from.Broker)(s.Components[from.Broker].Broker))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	found, err := client.LRange(ctx, from.List, 0, -1).Result()
	if err != nil {
		return nil, err
	}
	rows := make([]row, len(found))
	for k, text := range found {
		rows[k] = newDelivery(nil, decode([]byte(text)), text, nil, from.List, "").row
	}
	return rows, nil
}

// pool connects to a component's database when it is asked first.
func (s *sources) pool(component string) (*pgxpool.Pool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.pools[component]; p != nil {
		return p, nil
	}
	config, err := pgxpool.ParseConfig(s.expander(component)(s.Components[component].Database))
	if err != nil {
		return nil, errors.New("its database is no URL as in postgres://USER@${listen}/NAME")
	}
	config.MaxConns = 2
	config.ConnConfig.RuntimeParams["application_name"] = postgres.Harness
	config.ConnConfig.ConnectTimeout = 2 * time.Second
	// A statement that was prepared is gone when the server was restarted or the table changed.
	config.ConnConfig.DefaultQueryExecMode = execMode
	p, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, err
	}
	s.pools[component] = p
	return p, nil
}

// EndSessions has a component's PostgreSQL end the sessions of its clients, and returns how many they were.
func (i *instance) EndSessions(ctx context.Context, component string) (int, error) {
	pool, err := i.sources.pool(component)
	if err != nil {
		return 0, err
	}
	c, err := pool.Acquire(ctx)
	if err != nil {
		return 0, fmt.Errorf("connect to %s: %w", component, err)
	}
	defer c.Release()
	return postgres.EndSessions(ctx, c.Conn())
}
