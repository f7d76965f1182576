package scenarios

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/wreckon/wreckon/internal/document"
)

// Range is a stretch of time from which a seed draws one instant, or one length. Min equal to Max leaves nothing to draw.
type Range struct {
	Min, Max time.Duration
}

func (r Range) String() string {
	if r.Min == r.Max {
		return r.Min.String()
	}
	return r.Min.String() + ".." + r.Max.String()
}

const maxDuration = 24 * time.Hour

var (
	durationForm = regexp.MustCompile(`^(\d+(\.\d+)?(h|m|s|ms|us|µs|μs|ns))+$`)
	numberForm   = regexp.MustCompile(`^\d+(\.\d+)?$`)
	leadingZero  = regexp.MustCompile(`^0\d`)
)

// duration reads 250ms, 8s, 1m30s. A number alone is refused: nobody can know what 5 means.
func duration(text string) (time.Duration, error) {
	switch {
	case text == "":
		return 0, errors.New("a time is missing: write 5s, 250ms or 1m30s")
	case strings.HasPrefix(text, "-"):
		return 0, fmt.Errorf("time %s must not be negative", document.Quote(text))
	case leadingZero.MatchString(text):
		return 0, fmt.Errorf("time %s begins with a zero: write %s", document.Quote(text), withoutZeros(text))
	case numberForm.MatchString(text):
		return 0, fmt.Errorf("time %s has no unit: write %ss or %sms", document.Quote(text), text, text)
	case !durationForm.MatchString(text):
		return 0, fmt.Errorf("%s is no time: write 5s, 250ms or 1m30s", document.Quote(text))
	}
	d, err := time.ParseDuration(text)
	if err != nil || d > maxDuration {
		return 0, fmt.Errorf("time %s is longer than a day", document.Quote(text))
	}
	return d, nil
}

// span reads a duration, or two with .. between them: from 2s to 4s, drawn from the seed.
func span(text string) (Range, error) {
	low, high, ranged := strings.Cut(text, "..")
	lo, err := duration(strings.TrimSpace(low))
	if err != nil || !ranged {
		return Range{lo, lo}, err
	}
	hi, err := duration(strings.TrimSpace(high))
	if err != nil {
		return Range{}, err
	}
	if hi < lo {
		return Range{}, fmt.Errorf("range %s ends before it begins", document.Quote(text))
	}
	return Range{lo, hi}, nil
}

const maxRate = 100_000

// rate reads 40/s, 0.5/s, 30/m: how often something happens, per second. 0/s is a pause.
func rate(text string) (float64, error) {
	number, unit, ok := strings.Cut(text, "/")
	if !ok && numberForm.MatchString(text) {
		return 0, fmt.Errorf("rate %s has no unit: write %s/s", document.Quote(text), text)
	}
	n, err := decimal(strings.TrimSpace(number))
	unit = strings.TrimSpace(unit)
	if !ok || err != nil || unit != "s" && unit != "m" {
		return 0, fmt.Errorf("%s is no rate: write 40/s or 30/m", document.Quote(text))
	}
	if unit == "m" {
		n /= 60
	}
	if n > maxRate {
		return 0, fmt.Errorf("rate %s is above %d/s", document.Quote(text), maxRate)
	}
	return n, nil
}

var bandwidthForm = regexp.MustCompile(`^(\d+(?:\.\d+)?)\s*(B|KB|MB)/s$`)

// bandwidth reads 16KB/s: bytes per second, where 1 KB is 1000 bytes.
func bandwidth(text string) (int64, error) {
	m := bandwidthForm.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%s is no bandwidth: write 16KB/s, 2MB/s or 500B/s", document.Quote(text))
	}
	n, err := decimal(m[1])
	if err != nil {
		return 0, err
	}
	bytes := n * map[string]float64{"B": 1, "KB": 1e3, "MB": 1e6}[m[2]]
	switch {
	case bytes < 1:
		return 0, fmt.Errorf("bandwidth %s is less than a byte per second: for none at all, use a partition", document.Quote(text))
	case bytes > 1e10:
		return 0, fmt.Errorf("bandwidth %s is above 10000MB/s", document.Quote(text))
	}
	return int64(bytes), nil
}

// processors reads 0.05 or 2: a share of a processor, or several of them.
func processors(text string) (float64, error) {
	n, err := decimal(text)
	if err != nil {
		return 0, fmt.Errorf("%s is no number of processors: write 0.05 or 2", document.Quote(text))
	}
	return n, nil
}

// ratio reads 0.5 or 50%.
func ratio(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	n, err := decimal(strings.TrimSpace(number))
	if err != nil {
		return 0, fmt.Errorf("%s is no ratio: write 0.5 or 50%%", document.Quote(text))
	}
	if percent {
		n /= 100
	}
	if n > 100 {
		return 0, fmt.Errorf("ratio %s is above 100 for each unit", document.Quote(text))
	}
	return n, nil
}

func decimal(text string) (float64, error) {
	if !numberForm.MatchString(text) || leadingZero.MatchString(text) {
		return 0, fmt.Errorf("%s is no number: write 40 or 0.5", document.Quote(text))
	}
	return strconv.ParseFloat(text, 64)
}

// truth reads true or false.
func truth(text string) (bool, error) {
	if text != "true" && text != "false" {
		return false, fmt.Errorf("%s is neither true nor false", document.Quote(text))
	}
	return text == "true", nil
}

var integerForm = regexp.MustCompile(`^\d+$`)

// integer reads a whole number between lo and hi. 010 is refused: YAML means 8 by it, a person 10.
func integer(text string, lo, hi int) (int, error) {
	if leadingZero.MatchString(text) {
		return 0, fmt.Errorf("number %s begins with a zero: write %s", document.Quote(text), withoutZeros(text))
	}
	if !integerForm.MatchString(text) {
		return 0, fmt.Errorf("%s is no whole number", document.Quote(text))
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < lo || n > hi {
		return 0, fmt.Errorf("number %s is not between %d and %d", document.Quote(text), lo, hi)
	}
	return n, nil
}

// withoutZeros is the number with its leading zeros gone.
func withoutZeros(text string) string {
	short := strings.TrimLeft(text, "0")
	if short == "" || short[0] < '0' || short[0] > '9' {
		return "0" + short
	}
	return short
}

// between makes integer a reader for document.Value.
func between(lo, hi int) func(string) (int, error) {
	return func(text string) (int, error) { return integer(text, lo, hi) }
}

// length makes duration a reader for document.Value, with bounds that make sense for its key.
func length(lo, hi time.Duration) func(string) (time.Duration, error) {
	return func(text string) (time.Duration, error) {
		d, err := duration(text)
		switch {
		case err != nil:
			return 0, err
		case d < lo || d > hi:
			return 0, fmt.Errorf("time %s is not between %v and %v", document.Quote(text), lo, hi)
		}
		return d, nil
	}
}
