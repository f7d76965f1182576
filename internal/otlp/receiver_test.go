package otlp_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.uber.org/goleak"

	"github.com/wreckon/wreckon/internal/otlp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// text is a request as other languages' SDKs write it: ids in hex, times as strings, numbers as either.
const text = `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"spans":[{
	"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","parentSpanId":"eee19b7ec3c1b173","name":"POST /orders",
	"startTimeUnixNano":"1544712660000000000","endTimeUnixNano":1544712661000000000,"kind":2,"unknown":true,
	"attributes":[{"key":"job_id","value":{"stringValue":"o-1"}},{"key":"attempt_number","value":{"intValue":"2"}}],
	"links":[{"traceId":"5b8efff798038103d269b633813fc60d","spanId":"eee19b7ec3c1b175"}],
	"events":[{"name":"retried","timeUnixNano":"1544712660500000000"}],
	"status":{"code":2,"message":"no answer"}}]}]}]}`

func want() otlp.Span {
	at := time.Date(2018, 12, 13, 14, 51, 0, 0, time.UTC)
	return otlp.Span{
		Trace: "5b8efff798038103d269b633813fc60c", ID: "eee19b7ec3c1b174", Parent: "eee19b7ec3c1b173", Service: "shop", Name: "POST /orders",
		Kind: "server", Start: at, End: at.Add(time.Second), Status: "error", Message: "no answer",
		Attributes: map[string]any{"job_id": "o-1", "attempt_number": 2.0},
		Links:      []otlp.Link{{Trace: "5b8efff798038103d269b633813fc60d", ID: "eee19b7ec3c1b175"}},
		Events:     []otlp.Event{{Name: "retried", At: at.Add(time.Second / 2)}},
	}
}

type receiver struct {
	*otlp.Receiver
	endpoint string
}

func receive(t testing.TB) (r receiver, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "spans.jsonl")
	at, err := otlp.NewReceiver(path)
	require.NoError(t, err)
	endpoint, err := at.Listen("127.0.0.1:0")
	require.NoError(t, err)
	return receiver{at, endpoint}, path
}

func post(t *testing.T, r receiver, kind, packed string, body []byte) (int, string) {
	t.Helper()
	req, err := http.NewRequest("POST", r.endpoint+"/v1/traces", bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Content-Encoding", packed)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	if resp.StatusCode == http.StatusOK {
		assert.Equal(t, kind, resp.Header.Get("Content-Type"))
	}
	return resp.StatusCode, string(answer)
}

func packed(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(body)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}

func TestASpanIsKeptHoweverItIsSent(t *testing.T) {
	asked := ptraceotlp.NewExportRequest()
	require.NoError(t, asked.UnmarshalJSON([]byte(text)))
	binary, err := asked.MarshalProto()
	require.NoError(t, err)
	for name, c := range map[string]struct {
		kind, encoding string
		body           []byte
	}{
		"json":            {"application/json", "", []byte(text)},
		"json, packed":    {"application/json", "gzip", packed(t, []byte(text))},
		"protobuf":        {"application/x-protobuf", "", binary},
		"protobuf packed": {"application/x-protobuf", "gzip", packed(t, binary)},
	} {
		t.Run(name, func(t *testing.T) {
			r, path := receive(t)
			for range 2 { // its sender did not hear the first answer
				status, answer := post(t, r, c.kind, c.encoding, c.body)
				require.Equal(t, 200, status, answer)
			}
			n, err := r.Flush()
			require.NoError(t, err)
			assert.Equal(t, 2, n)
			require.NoError(t, r.Close(t.Context()))
			spans, err := otlp.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, []otlp.Span{want()}, spans)
		})
	}
}

func TestWhatIsNoSpanIsRefused(t *testing.T) {
	r, path := receive(t)
	anonymous := ptrace.NewTraces()
	scope := anonymous.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty()
	scope.Spans().AppendEmpty().SetName("nobody")
	s := scope.Spans().AppendEmpty()
	s.SetTraceID(pcommon.TraceID{1})
	s.SetSpanID(pcommon.SpanID{1})
	partly, err := ptraceotlp.NewExportRequestFromTraces(anonymous).MarshalJSON()
	require.NoError(t, err)
	for _, c := range []struct {
		name, kind, encoding string
		body                 []byte
		want                 int
		says                 string
	}{
		{"text", "text/plain", "", []byte("x"), 415, "want application/x-protobuf"},
		{"packed otherwise", "application/json", "br", []byte("{}"), 415, "want gzip"},
		{"not packed", "application/json", "gzip", []byte(text), 400, "unpack body"},
		{"cut off", "application/json", "gzip", packed(t, []byte(text))[:60], 400, "read body"},
		{"no JSON", "application/json", "", []byte("{"), 400, ""},
		{"no protobuf", "application/x-protobuf", "", []byte("{{{{"), 400, ""},
		{"a bomb", "application/json", "gzip", packed(t, bytes.Repeat([]byte(" "), 65<<20)), 413, "body is longer"},
		{"one without an id", "application/json", "", partly, 200, `"rejectedSpans":"1"`},
	} {
		status, answer := post(t, r, c.kind, c.encoding, c.body)
		assert.Equal(t, c.want, status, "%s: %s", c.name, answer)
		assert.Contains(t, answer, c.says, c.name)
	}
	require.NoError(t, r.Close(t.Context()))
	spans, err := otlp.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, spans, 1)
	assert.Equal(t, "01000000000000000000000000000000", spans[0].Trace)
}

func TestAFileThatWasCutOffIsReadUpToThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spans.jsonl")
	spans, err := otlp.ReadFile(path)
	require.NoError(t, err)
	assert.Empty(t, spans)
	require.NoError(t, os.WriteFile(path, []byte(`{"trace":"a","span":"b","name":"x"}`+"\n"+`{"trace":"a","sp`), 0o600))
	spans, err = otlp.ReadFile(path)
	require.NoError(t, err)
	assert.Len(t, spans, 1)
	require.NoError(t, os.WriteFile(path, []byte("{}\nx\n"), 0o600))
	_, err = otlp.ReadFile(path)
	assert.ErrorContains(t, err, "spans.jsonl, line 2")
}

func FuzzRequest(f *testing.F) {
	f.Add(true, []byte(text))
	f.Add(false, []byte{0x0a, 0x02, 0x12, 0x00})
	r, path := receive(f)
	f.Cleanup(func() { assert.NoError(f, r.Close(f.Context())) })
	f.Fuzz(func(t *testing.T, asText bool, body []byte) {
		kind := "application/x-protobuf"
		if asText {
			kind = "application/json"
		}
		status, answer := post(t, r, kind, "", body)
		require.Contains(t, []int{200, 400}, status, strings.ToValidUTF8(answer, "?"))
		_, err := r.Flush()
		require.NoError(t, err)
		_, err = otlp.ReadFile(path)
		require.NoError(t, err, "whatever is kept can be read")
		require.NoError(t, os.Truncate(path, 0))
	})
}
