package reports

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// LiveCounts is what the live region shows of the load, so far.
type LiveCounts struct {
	Operations, OK, Fail, Info int
	Effects                    int
	InForce                    []string // faults in force, as a person writes them: "f2 partition relay <-> broker"
}

// liveEvery is how often the live region is drawn again.
const liveEvery = 200 * time.Millisecond

// Live shows a run while it goes on. On a terminal the last lines are a region that is drawn again a few times a second, below
// the lines that stay; anywhere else each phase, fault event and note is one plain line and nothing is ever drawn again.
// All methods may be called from any goroutine. What the writer answers is ignored: a broken pipe must not end a run.
type Live struct {
	mu      sync.Mutex
	w       io.Writer
	tty     bool
	paint   paint
	start   time.Time
	phase   string
	detail  string
	counts  LiveCounts
	drawn   int // lines of the region that are on the screen
	changed bool
	closed  bool
	stop    chan struct{}
	done    chan struct{}
}

// NewLive begins to show a run; its clock starts now. tty says that w is a terminal that understands escape sequences, and color that colours are
// welcome. The caller closes it, also when the run fails.
func NewLive(w io.Writer, tty, color bool) *Live {
	l := &Live{w: w, tty: tty, paint: paint(color), start: time.Now(), stop: make(chan struct{}), done: make(chan struct{})}
	if !tty {
		close(l.done)
		return l
	}
	go l.redraw()
	return l
}

// Phase says which phase of the run has begun. detail is one short remark, or empty.
func (l *Live) Phase(name, detail string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.phase, l.detail, l.changed = line(name), line(detail), true
	l.say(strings.TrimRight(l.paint.bold(pad(l.phase, 9))+"  "+l.detail, " "))
}

// Fault says what became of a fault: what is one of begin, confirmed, end, healed, failed, with whatever a person wants to know.
func (l *Live) Fault(id, kind, target, what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.say(l.paint.amber("↯ "+pad(line(id), 7)) + "  " + line(kind+" "+target) + "  " + line(what))
}

// Counts replaces what the region shows of the load. It is cheap, and prints nothing by itself.
func (l *Live) Counts(c LiveCounts) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts, l.changed = c, true
}

// Note prints one line that stays.
func (l *Live) Note(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.say(l.paint.grey(line(text)))
}

// Close ends the region: it is wiped, so that what is printed next begins on an empty line. It may be called more than once; the
// other methods do nothing after it.
func (l *Live) Close() {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		<-l.done
		return
	}
	l.closed = true
	l.wipe(nil)
	l.mu.Unlock()
	close(l.stop)
	<-l.done
}

func (l *Live) redraw() {
	defer close(l.done)
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
			l.mu.Lock()
			if !l.closed {
				l.wipe(l.region())
			}
			l.mu.Unlock()
		}
	}
}

// say prints a line that stays, above the region.
func (l *Live) say(s string) {
	if l.closed {
		return
	}
	s = l.paint.grey(clock(time.Since(l.start))) + "  " + s
	if !l.tty {
		fmt.Fprintln(l.w, s)
		return
	}
	region := l.region()
	l.wipe(nil)
	fmt.Fprintln(l.w, s)
	l.wipe(region)
}

// wipe replaces the region in one write, so that it does not flicker. The cursor is left on the line below it.
func (l *Live) wipe(lines []string) {
	if !l.tty {
		return
	}
	var b strings.Builder
	if l.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r\x1b[J", l.drawn)
	}
	for _, s := range lines {
		b.WriteString(s + "\n")
	}
	l.drawn = len(lines)
	_, _ = io.WriteString(l.w, b.String())
}

func (l *Live) region() []string {
	if l.phase == "" {
		return nil
	}
	c, width := l.counts, l.width()
	load := fmt.Sprintf("%s  %s ok  %s fail  %s info  %s", count(c.Operations, "operation"), num(c.OK), num(c.Fail), num(c.Info), count(c.Effects, "effect"))
	inForce := "no fault in force"
	if len(c.InForce) > 0 {
		inForce = "in force: " + line(strings.Join(c.InForce, ", "))
	}
	head := clock(time.Since(l.start)) + "  " + l.phase
	return []string{
		l.paint.bold(fit(head+"  "+l.detail, width)),
		fit("       "+load, width),
		l.paint.amber(fit("       "+inForce, width)),
	}
}

// width is asked each time: a terminal can be made narrower, and a line that wraps would be wiped by halves.
func (l *Live) width() int {
	if f, ok := l.w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return 80
}

// fit cuts a line to the columns there are, the last one left free.
func fit(s string, width int) string {
	r := []rune(strings.TrimRight(s, " "))
	if len(r) < width {
		return string(r)
	}
	return string(r[:max(0, width-2)]) + "…"
}

// clock writes an elapsed time as mm:ss, as run logs are read.
func clock(d time.Duration) string {
	s := int(d / time.Second)
	return fmt.Sprintf("%02d:%02d", s/60, s%60)
}
