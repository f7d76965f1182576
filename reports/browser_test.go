package reports

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	cdp "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/rundir"
)

// browser starts a headless Chromium for one test. Where none is installed the test is skipped, unless WRECKON_REQUIRE_BROWSER
// says that this machine must have one: the only skip of the package, for people without a browser.
func browser(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		require.NotEqual(t, "1", os.Getenv("WRECKON_REQUIRE_BROWSER"), "WRECKON_REQUIRE_BROWSER=1, but there is no chromium on the PATH")
		t.Skip("no chromium on the PATH: the report page is not tested in a browser (WRECKON_REQUIRE_BROWSER=1 makes this a failure)")
	}
	alloc, cancel := chromedp.NewExecAllocator(context.Background(), chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Headless, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	t.Cleanup(cancel)
	ctx, cancelTab := chromedp.NewContext(alloc)
	t.Cleanup(cancelTab)
	require.NoError(t, chromedp.Do(ctx), "start chromium")
	return ctx
}

// written writes the page of a run, and gives its address.
func written(t *testing.T, r Run) string {
	t.Helper()
	dir := t.TempDir()
	_, err := Write(dir, r, Options{})
	require.NoError(t, err)
	return "file://" + filepath.Join(dir, rundir.ReportFile)
}

func visit(t *testing.T, ctx context.Context, url string) {
	t.Helper()
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(url)))
}

func ready(t *testing.T, ctx context.Context) {
	t.Helper()
	_, err := chromedp.Run(ctx, chromedp.Poll[float64]("window.__ready", chromedp.WithPollingTimeout(30*time.Second)))
	require.NoError(t, err, "the page never became ready")
}

func eval[T any](t *testing.T, ctx context.Context, js string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	require.NoError(t, err, js)
	return v
}

// becomes waits for a condition of the page: what a chart draws, it draws in the next frame.
func becomes(t *testing.T, ctx context.Context, js string) {
	t.Helper()
	_, err := chromedp.Run(ctx, chromedp.Poll[bool](js, chromedp.WithPollingTimeout(10*time.Second)))
	require.NoError(t, err, js)
}

func theme(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
	require.NoError(t, err)
}

// complaints collects what the page writes to the console as an error and what it throws.
func complaints(t *testing.T, ctx context.Context) func() []string {
	t.Helper()
	got := make(chan string, 100)
	require.NoError(t, chromedp.Listen(ctx, func(ev any) {
		var s string
		switch ev := ev.(type) {
		case *runtime.EventConsoleAPICalled:
			if ev.Type != runtime.ConsoleAPICalledTypeError && ev.Type != runtime.ConsoleAPICalledTypeWarning {
				return
			}
			s = fmt.Sprint("console: ", ev.Type)
			for _, a := range ev.Args {
				s += " " + a.Description + string(a.Value)
			}
		case *runtime.EventExceptionThrown:
			s = "thrown: " + ev.ExceptionDetails.Text
		case *log.EventEntryAdded: // a refusal of the content security policy is one
			if ev.Entry.Level != log.EntryLevelError {
				return
			}
			s = "log: " + ev.Entry.Text
		default:
			return
		}
		select {
		case got <- s:
		default:
		}
	}))
	return func() []string {
		var all []string
		for {
			select {
			case s := <-got:
				all = append(all, s)
			default:
				return all
			}
		}
	}
}

// inkOf counts the pixels of a canvas that are not empty.
const inkOf = `(id => { const c = document.getElementById(id); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0; for (let i = 3; i < d.length; i += 4) if (d[i]) n++; return n; })`

func TestPageInABrowser(t *testing.T) {
	ctx := browser(t)
	said := complaints(t, ctx)
	for name, r := range map[string]Run{"violation": sample(true), "pass": sample(false)} {
		url := written(t, r)
		for _, width := range []int64{1440, 390} {
			for _, scheme := range []string{"light", "dark"} {
				where := fmt.Sprintf("%s at %d px, %s", name, width, scheme)
				require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(width, 1000)))
				theme(t, ctx, scheme)
				visit(t, ctx, url)
				ready(t, ctx)
				assert.Empty(t, said(), where)
				assert.LessOrEqual(t, eval[float64](t, ctx, "document.documentElement.scrollWidth"), float64(width), "%s: it must not scroll sideways", where)
				assert.Equal(t, len(findings(r)), eval[int](t, ctx, `[...document.querySelectorAll('.finding')].filter(e => e.getBoundingClientRect().height > 100).length`), where)
				for _, id := range []string{"overview", "lanes", "scatter"} {
					assert.Greater(t, eval[int](t, ctx, inkOf+`('`+id+`')`), 500, "%s: canvas %s is empty", where, id)
				}
				keep(t, ctx, fmt.Sprintf("%s-%s-%d.png", name, scheme, width))
			}
		}
	}
}

func TestPageContrastInBothThemes(t *testing.T) {
	ctx := browser(t)
	url := written(t, sample(true))
	// The ratio of WCAG between the colour of a text and the first background below it that is not transparent.
	const ratio = `(sel => { const lum = s => { const [r, g, b] = s.match(/[\d.]+/g).map(Number).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
		const el = document.querySelector(sel); let bg = el; while (bg && /^rgba\(.*, 0\)$/.test(getComputedStyle(bg).backgroundColor)) bg = bg.parentElement;
		const [a, b] = [lum(getComputedStyle(el).color), lum(getComputedStyle(bg).backgroundColor)].sort((x, y) => y - x); return (a + .05) / (b + .05); })`
	for _, scheme := range []string{"light", "dark"} {
		theme(t, ctx, scheme)
		visit(t, ctx, url)
		ready(t, ctx)
		for _, sel := range []string{".badge", ".why", ".facts", ".tiles span", ".t-violation b", ".t-missed b", ".over", ".s-holds .w", ".s-violated .w", ".s-missed .w", ".f-confirmed .w", "#guarantees small", "th", "nav a", ".story td", "dt", ".keys"} {
			assert.GreaterOrEqual(t, eval[float64](t, ctx, ratio+"("+fmt.Sprintf("%q", sel)+")"), 4.5, "%s in %s", sel, scheme)
		}
	}
}

func TestChartsFollowPointerAndKeys(t *testing.T) {
	ctx := browser(t)
	said := complaints(t, ctx)
	require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(1440, 1000)))
	visit(t, ctx, written(t, sample(true)))
	ready(t, ctx)

	require.NoError(t, chromedp.Do(ctx, chromedp.Click(chromedp.CSS(`#v1 .go`))))
	becomes(t, ctx, `document.getElementById('detail').textContent.includes('proof of finding 1')`)
	assert.Contains(t, eval[string](t, ctx, `document.getElementById('detail').textContent`), "do charge, applied o-", "it says what the event was")

	before := eval[string](t, ctx, `document.getElementById('lanes').toDataURL()`)
	eval[bool](t, ctx, `(document.getElementById('lanes').focus(), true)`)
	require.NoError(t, chromedp.Do(ctx, chromedp.KeyEvent("f")))
	becomes(t, ctx, fmt.Sprintf(`document.getElementById('lanes').toDataURL() !== %q`, before))
	require.NoError(t, chromedp.Do(ctx, chromedp.KeyEvent("]")))
	becomes(t, ctx, `document.getElementById('detail').textContent.includes('proof of finding 2')`)
	require.NoError(t, chromedp.Do(ctx, chromedp.KeyEvent(".")))
	becomes(t, ctx, `!document.getElementById('tip').hidden && document.getElementById('tip').textContent.length > 10`)
	require.NoError(t, chromedp.Do(ctx, chromedp.KeyEvent(",")))
	becomes(t, ctx, `document.getElementById('tip').textContent.includes('proof of finding 2')`)
	keep(t, ctx, "zoomed.png")

	require.NoError(t, chromedp.Do(ctx, chromedp.KeyEvent("f")))
	filter := `(q => { const f = document.getElementById('filter'); f.value = q; f.dispatchEvent(new Event('input')); return true; })`
	blue := `(() => { const c = document.getElementById('lanes'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0; for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 180 && d[i + 2] > d[i] + 60) n++; return n; })()`
	becomes(t, ctx, blue+` > 1000`)
	eval[bool](t, ctx, filter+`('no such unit')`)
	becomes(t, ctx, blue+` < 500`)
	eval[bool](t, ctx, filter+`('client 3')`)
	becomes(t, ctx, blue+` > 500`)

	visit(t, ctx, strings.Replace(eval[string](t, ctx, "location.href"), "#", "?", 1)+"#v2")
	ready(t, ctx)
	assert.Contains(t, eval[string](t, ctx, `document.getElementById('detail').textContent`), "proof of finding 2", "a link leads to a finding")
	assert.Empty(t, said())
}

func TestPageReadsWithoutScripts(t *testing.T) {
	ctx := browser(t)
	r := sample(true)
	_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	require.NoError(t, err)
	visit(t, ctx, written(t, r))
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("main")))
	require.NoError(t, err)
	for _, want := range []string{"VIOLATION", findings(r)[0].Sentence[6:], "Not tested", "the target reports no traces", r.Manifest.Repeat, "5 of 5", "need scripts"} {
		assert.Contains(t, text, want)
	}
	assert.NotContains(t, text, "Show on the timeline", "a button that can do nothing is not shown")
	keep(t, ctx, "noscript.png")
}

// Jenkins serves artifacts under a policy that blocks every inline style and script. What counts must still be there.
func TestPageReadsUnderAPolicyThatBlocksEverything(t *testing.T) {
	ctx := browser(t)
	r := sample(true)
	dir := t.TempDir()
	_, err := Write(dir, r, Options{})
	require.NoError(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'; img-src 'self'; style-src 'self';")
		http.ServeFile(w, req, filepath.Join(dir, rundir.ReportFile))
	}))
	defer server.Close()
	visit(t, ctx, server.URL)
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("main")))
	require.NoError(t, err)
	for _, want := range []string{"VIOLATION", findings(r)[1].Sentence[6:], "the target reports no traces", "need scripts"} {
		assert.Contains(t, text, want)
	}
	attr, err := chromedp.Run(ctx, chromedp.AttributesAll(chromedp.CSSAll(".story-svg circle.proof")))
	require.NoError(t, err)
	require.Len(t, attr, 3)
	assert.Equal(t, inkProof, attr[0]["fill"], "the pictures carry their colours themselves")
	keep(t, ctx, "blocked.png")
}

// keep writes a picture of the page where WRECKON_PICTURES names a folder, for people to look at.
func keep(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	dir := os.Getenv("WRECKON_PICTURES")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), png, 0o644))
}

// Nothing that a run recorded may run, neither in the document nor in what the scripts add to it.
func TestHostileNamesStayTextInABrowser(t *testing.T) {
	ctx := browser(t)
	said := complaints(t, ctx)
	_, err := chromedp.Call(ctx, cdp.AddScriptToEvaluateOnNewDocument, cdp.AddScriptToEvaluateOnNewDocumentParams{Source: "window.__hit = []; window.alert = s => window.__hit.push(s)"})
	require.NoError(t, err)
	require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(1440, 1000)))
	visit(t, ctx, written(t, hostile()))
	ready(t, ctx)
	eval[bool](t, ctx, `(document.getElementById('lanes').focus(), true)`)
	require.NoError(t, chromedp.Do(ctx, chromedp.KeyEvent(".")))
	becomes(t, ctx, `document.getElementById('tip').textContent.includes('<script>')`)
	assert.Equal(t, 0, eval[int](t, ctx, `document.querySelectorAll('main img, main script, #tip img, #tip script').length`))
	assert.Equal(t, 0, eval[int](t, ctx, `window.__hit.length`))
	assert.Empty(t, said())
}

func TestAMillionOperationsStayUsable(t *testing.T) {
	ctx := browser(t)
	said := complaints(t, ctx)
	require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(1440, 1000)))
	visit(t, ctx, written(t, many(1_000_000)))
	ready(t, ctx)
	assert.Contains(t, eval[string](t, ctx, `document.getElementById('timeline').textContent`), "Showing 300,000 of 1,000,000")
	assert.Greater(t, eval[int](t, ctx, inkOf+`('lanes')`), 5000)
	keep(t, ctx, "million.png")
	assert.Empty(t, said())
}
