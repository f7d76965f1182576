package reports

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wreckon/wreckon/checkers"
)

// clipAt is how much of one text a report shows. The whole of it is in result.json and in the history.
const clipAt = 2000

// metric is an indicator's value with its unit.
func metric(m checkers.Metric) string {
	if m.NA || math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
		return "n/a"
	}
	switch m.Unit {
	case "s":
		return took(time.Duration(m.Value * float64(time.Second)))
	case "ratio":
		return strconv.FormatFloat(m.Value*100, 'g', 4, 64) + " %"
	case "count", "":
		if m.Value == math.Trunc(m.Value) && math.Abs(m.Value) < 1e15 {
			return num(int(m.Value))
		}
		return strconv.FormatFloat(m.Value, 'f', 2, 64)
	}
	return strconv.FormatFloat(m.Value, 'g', 4, 64) + " " + line(m.Unit)
}

// num writes 1204 as 1,204.
func num(n int) string {
	s := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

func count(n int, what string) string { return verb(n, what, "", "") }

// verb makes noun and verb agree with a count: verb(1, "guarantee", "holds", "hold") is "1 guarantee holds".
func verb(n int, what, one, many string) string {
	v := one
	if n != 1 {
		what, v = what+"s", many
	}
	return strings.TrimSuffix(num(n)+" "+what+" "+v, " ")
}

// took writes a duration with three significant digits: 412ms, 2.41s, 1m32s.
func took(d time.Duration) string {
	switch a := d.Abs(); {
	case a == 0:
		return "0s"
	case a < time.Microsecond:
		return d.String()
	case a < time.Millisecond:
		return strconv.FormatFloat(float64(d)/1e3, 'g', 3, 64) + "µs"
	case a < time.Second:
		return trimZero(strconv.FormatFloat(float64(d)/1e6, 'f', digits(float64(a)/1e6), 64)) + "ms"
	case a < time.Minute:
		return trimZero(strconv.FormatFloat(d.Seconds(), 'f', digits(a.Seconds()), 64)) + "s"
	}
	return d.Round(time.Second).String()
}

func digits(v float64) int {
	switch {
	case v < 10:
		return 2
	case v < 100:
		return 1
	}
	return 0
}

func trimZero(s string) string {
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// at writes an instant of a run: 2.104s.
func at(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) + "s" }

func bytesOf(n int64) string {
	switch {
	case n < 1000:
		return strconv.FormatInt(n, 10) + " B"
	case n < 1000*1000:
		return strconv.FormatFloat(float64(n)/1e3, 'f', 1, 64) + " kB"
	case n < 1000*1000*1000:
		return strconv.FormatFloat(float64(n)/1e6, 'f', 1, 64) + " MB"
	}
	return strconv.FormatFloat(float64(n)/1e9, 'f', 1, 64) + " GB"
}

// clip shortens a text to n bytes at most, at a rune, and says how much is missing.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	cut := n
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%s… (%s more)", s[:cut], bytesOf(int64(len(s)-cut)))
}

// line makes recorded text safe for a terminal and for one line: no control character, no escape sequence, no text that runs
// backwards, clipped.
func line(s string) string {
	return strings.Map(func(c rune) rune {
		if c == '\n' || c == '\t' || c == '\r' {
			return ' '
		}
		return visible(c)
	}, clip(s, clipAt))
}

// visible replaces what a reader could not see and a terminal would obey.
func visible(c rune) rune {
	if unicode.IsControl(c) && c != '\n' || unicode.Is(unicode.Bidi_Control, c) || c == utf8.RuneError {
		return '�'
	}
	return c
}

func upperFirst(s string) string {
	c, n := utf8.DecodeRuneInString(s)
	if n == 0 || c == utf8.RuneError {
		return s
	}
	return string(unicode.ToUpper(c)) + s[n:]
}
