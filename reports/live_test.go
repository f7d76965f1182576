package reports

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// screen is a terminal that understands what Live writes: it keeps what a person would see.
type screen struct {
	mu    sync.Mutex
	lines []string
	row   int
	all   strings.Builder
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all.Write(b)
	for text := string(b); text != ""; {
		var up int
		switch {
		case strings.HasPrefix(text, "\x1b["):
			end := strings.IndexAny(text, "AJm")
			if text[end] == 'A' {
				fmt.Sscanf(text[2:end], "%d", &up)
				s.row -= up
			}
			if text[end] == 'J' {
				s.lines = s.lines[:s.row]
			}
			text = text[end+1:]
		case text[0] == '\r':
			text = text[1:]
		default:
			end := strings.IndexAny(text, "\n\x1b")
			for len(s.lines) <= s.row {
				s.lines = append(s.lines, "")
			}
			s.lines[s.row] += text[:end]
			if text[end] == '\n' {
				s.row, end = s.row+1, end+1
			}
			text = text[end:]
		}
	}
	return len(b), nil
}

func (s *screen) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.lines...)
}

func TestLiveRedrawsBelowWhatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screen{}
		l := NewLive(s, true, true)
		l.Phase("baseline", "1.8s of load without faults")
		time.Sleep(2 * time.Second)
		l.Counts(LiveCounts{Operations: 1204, OK: 1190, Fail: 2, Info: 12, Effects: 980, InForce: []string{"f2 partition relay <-> broker"}})
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, []string{
			"00:00  baseline   1.8s of load without faults",
			"00:03  baseline  1.8s of load without faults",
			"       1,204 operations  1,190 ok  2 fail  12 info  980 effects",
			"       in force: f2 partition relay <-> broker",
		}, s.seen())
		l.Fault("f2", "partition", "relay <-> broker", "healed")
		l.Note("a note")
		assert.Equal(t, []string{"00:03  ↯ f2       partition relay <-> broker  healed", "00:03  a note"}, s.seen()[1:3])
		l.Close()
		l.Close()
		l.Note("too late")
		assert.Len(t, s.seen(), 3, "the region is gone, and what stays stays")
		assert.NotContains(t, s.all.String(), "\x1b[?", "no mode of the terminal is changed: there is none to restore")
	})
}

func TestLiveDrawsAFewTimesASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screen{}
		l := NewLive(s, true, false)
		defer l.Close()
		l.Phase("chaos", "")
		before := strings.Count(s.all.String(), "\x1b[J")
		for i := range 10_000 {
			l.Counts(LiveCounts{Operations: i})
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		drawn := strings.Count(s.all.String(), "\x1b[J") - before
		assert.InDelta(t, 50, drawn, 2, "10 s, however often it is told")
	})
}

func TestLivePlainPrintsOneLineForEachThing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		l := NewLive(&b, false, false)
		l.Phase("chaos", "16s")
		time.Sleep(75 * time.Second)
		l.Counts(LiveCounts{Operations: 5})
		l.Fault("f1", "crash", "relay", "confirmed: relay is gone")
		l.Note("evil \x1b[2J\nnote")
		l.Close()
		l.Phase("late", "")
		assert.Equal(t, "00:00  chaos      16s\n01:15  ↯ f1       crash relay  confirmed: relay is gone\n01:15  evil �[2J note\n", b.String())
	})
}

func TestLiveLinesFitTheTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screen{}
		l := NewLive(s, true, false)
		l.Phase("chaos", strings.Repeat("long ", 40))
		time.Sleep(time.Second)
		synctest.Wait()
		for _, line := range s.seen()[1:] {
			assert.Less(t, cells(line), 80, "a line that wraps would be wiped by halves")
		}
		l.Close()
	})
}

func TestLiveFromManyGoroutines(t *testing.T) {
	s := &screen{}
	l := NewLive(s, true, true)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				l.Phase("chaos", fmt.Sprint(g))
				l.Counts(LiveCounts{Operations: i})
				l.Fault("f1", "crash", "relay", "begin")
				l.Note("note")
			}
		})
	}
	wg.Go(func() { l.Close() })
	wg.Wait()
	l.Close()
}
