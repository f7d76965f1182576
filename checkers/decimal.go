package checkers

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// maxDigits bounds the numbers of a history: 1e999999999 is a number too, and takes a gigabyte to write out.
const maxDigits = 64

// decimal reads a number as JSON and people write it, exactly: three times 0.1 is 0.3.
func decimal(s string) (*big.Rat, bool) {
	s = strings.TrimSpace(s)
	if len(s) == 0 || len(s) > maxDigits {
		return nil, false
	}
	mantissa, exponent, scaled := strings.Cut(strings.ToLower(s), "e")
	if strings.Trim(mantissa, "0123456789+-.") != "" || mantissa == "" {
		return nil, false
	}
	if scaled {
		if n, err := strconv.Atoi(exponent); err != nil || n > 5*maxDigits || n < -5*maxDigits {
			return nil, false
		}
	}
	return new(big.Rat).SetString(s)
}

// claimed is a number of the claims as it was written: the shortest that reads back the same.
func claimed(f float64) (*big.Rat, bool) {
	return decimal(strconv.FormatFloat(f, 'g', -1, 64))
}

// figure writes a number for a sentence: 12, 0.30, a third as 0.333333.
func figure(r *big.Rat) string {
	if r.IsInt() {
		return clip(r.RatString(), 80)
	}
	n, exact := r.FloatPrec()
	if !exact || n > 12 {
		n = 6
	}
	return clip(r.FloatString(n), 80)
}

// sum adds numbers up exactly. Whole ones, which is what most are, cost no more than an addition.
type sum struct {
	whole int64
	rest  big.Rat
}

// add adds a number, or with sign -1 takes it off, and tells whether it was one.
func (s *sum) add(value string, sign int64) bool {
	if len(value) <= 15 && len(value) > 0 && value[0] != '+' {
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			if s.whole += n * sign; s.whole > math.MaxInt64/2 || s.whole < math.MinInt64/2 {
				s.rest.Add(&s.rest, new(big.Rat).SetInt64(s.whole))
				s.whole = 0
			}
			return true
		}
	}
	r, ok := decimal(value)
	if ok {
		s.rest.Add(&s.rest, r.Mul(r, new(big.Rat).SetInt64(sign)))
	}
	return ok
}

func (s *sum) total() *big.Rat {
	return new(big.Rat).Add(new(big.Rat).SetInt64(s.whole), &s.rest)
}
