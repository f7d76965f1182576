package quarantine

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/wreckon/wreckon/reference/orders"
)

// Handler serves a desk to people who are known: POST /quarantine/{order}/approve, and POST /quarantine/{order}/resolve with
// {"how":"retry"} or {"how":"give-up"}. Who it is says the header Operator-Token.
func Handler(k Desk, people []Person) http.Handler {
	h := handler{people}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /quarantine/{order}/approve", h.known(func(r *http.Request, who Person) error {
		return k.Approve(r.Context(), who, r.PathValue("order"))
	}))
	mux.HandleFunc("POST /quarantine/{order}/resolve", h.known(func(r *http.Request, who Person) error {
		var decision struct {
			How string `json:"how"`
		}
		err := json.NewDecoder(io.LimitReader(r.Body, 1<<10)).Decode(&decision)
		if err != nil || decision.How != orders.Retry && decision.How != orders.GiveUp {
			return errWhat
		}
		return k.Resolve(r.Context(), who, r.PathValue("order"), decision.How)
	}))
	return mux
}

var errWhat = errors.New(`want {"how":"retry"} or {"how":"give-up"}`)

type handler struct{ people []Person }

func (h handler) known(do func(*http.Request, Person) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, ok := h.who(r.Header.Get("Operator-Token"))
		if !ok {
			http.Error(w, "nobody is known by this token", http.StatusUnauthorized)
			return
		}
		switch err := do(r, who); {
		case err == nil:
			w.WriteHeader(http.StatusOK)
		case errors.Is(err, ErrNoRight):
			http.Error(w, err.Error(), http.StatusForbidden)
		case errors.Is(err, ErrNoLetter):
			http.Error(w, err.Error(), http.StatusNotFound)
		case errors.Is(err, ErrAlone), errors.Is(err, ErrNotCertain):
			http.Error(w, err.Error(), http.StatusConflict)
		case errors.Is(err, errWhat):
			http.Error(w, err.Error(), http.StatusBadRequest)
		default:
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	}
}

func (h handler) who(token string) (who Person, ok bool) {
	for _, p := range h.people {
		if p.Token != "" && subtle.ConstantTimeCompare([]byte(p.Token), []byte(token)) == 1 {
			who, ok = p, true
		}
	}
	return who, ok
}
