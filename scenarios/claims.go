package scenarios

import (
	"encoding/json"
	"errors"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/document"
)

// LoadClaims reads what a target promises from a file, YAML or JSON: the claims that stand in the header of a history otherwise. The
// error of a file that is wrong names every place, with its line and column.
func LoadClaims(path string) (history.Claims, error) {
	src, err := document.ReadFile(path)
	if err != nil {
		return history.Claims{}, err
	}
	claims, problems := ParseClaims(path, src)
	if len(problems) == 0 {
		return claims, nil
	}
	errs := make([]error, 0, len(problems))
	for _, p := range problems[:min(len(problems), document.MaxShown)] {
		errs = append(errs, p)
	}
	return claims, errors.Join(errs...)
}

// ParseClaims reads the text of a file of claims. name stands in front of every problem.
func ParseClaims(name string, src []byte) (history.Claims, Problems) {
	r := &document.Reader{Kind: "file of claims", Begins: "want what the target promises, as in unit: order"}
	root := r.Read(name, src)
	if root == nil {
		return history.Claims{}, r.Problems
	}
	var claims history.Claims
	schema, err := document.NewSchema(history.Schema())
	if err == nil {
		if value := r.Hold(root, schema, "claims", "claims"); value != nil {
			err = json.Unmarshal(value, &claims)
		}
	}
	if err != nil { // what the schema allows and the program does not know
		r.Problem(root, "%s", document.OneLine(err))
	}
	r.Problems.Sort()
	return claims, r.Problems
}
