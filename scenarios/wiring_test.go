package scenarios_test

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/scenarios"
	"github.com/wreckon/wreckon/targets"
)

// real is the vocabulary of the program, wired together as its commands do it.
func real() scenarios.Vocabulary {
	v := scenarios.Vocabulary{
		Targets: []targets.Target{targets.Reference(), targets.ReferencePostgres(), targets.Choreography(), targets.Jobs(), targets.Bookings(), targets.Metering(), targets.Regions()},
		Kinds:   faults.Kinds,
		Overlap: faults.CheckOverlap,
		Condition: func(text string) error {
			_, err := checkers.ParseCondition(text)
			var bad *checkers.CondError
			if errors.As(err, &bad) {
				return scenarios.Placed(bad.Column, bad.Msg)
			}
			return err
		},
	}
	for _, g := range checkers.Guarantees {
		v.Guarantees = append(v.Guarantees, g.Name)
	}
	return v
}

func TestShippedScenariosNameOnlyWhatThereIs(t *testing.T) {
	for _, info := range scenarios.Shipped() {
		s, problems := info.Parse(real())
		require.Empty(t, problems, "%v", problems)
		known := real().Targets
		topology := known[slices.IndexFunc(known, func(t targets.Target) bool { return t.Name == s.Target })].Topology
		for seed := range uint64(50) {
			plan := s.Plan(seed, "")
			require.NoError(t, plan.Validate())
			require.Empty(t, faults.CheckOverlap(plan.Faults), "%s, seed %d", info.Name, seed)
			for _, f := range plan.Faults {
				require.NoError(t, faults.Check(f, topology), "%s, seed %d", info.Name, seed)
			}
		}
	}
}

func TestAConditionIsMarkedWhereItGoesWrong(t *testing.T) {
	_, problems := scenarios.Parse("a.yaml", []byte("scenario: a\nworkload: {orders: {rate: 1/s, for: 1s}}\nrequire: [\"redeliveries => 1\"]\n"), real())
	require.Len(t, problems, 1)
	assert.Equal(t, []int{3, 25}, []int{problems[0].Line, problems[0].Column}, "%v", problems)
}

// The schema lists kinds by name; a kind that is added must be added there, and explained on the page.
func TestTheSchemaAndThePageKnowEveryKind(t *testing.T) {
	var schema struct {
		Defs struct {
			Fault struct {
				OneOf []struct{ Required []string }
			}
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(scenarios.Schema(), &schema))
	var inSchema, kinds []string
	for _, choice := range schema.Defs.Fault.OneOf {
		inSchema = append(inSchema, choice.Required...)
	}
	page := page(t)
	for _, k := range faults.Kinds {
		kinds = append(kinds, k.Name)
		assert.Contains(t, page, "| `"+k.Name+"` |")
	}
	assert.ElementsMatch(t, kinds, inSchema)
	for _, m := range checkers.Metrics {
		name, _, _ := strings.Cut(m.Name, ".p")
		assert.Contains(t, page, "`"+strings.TrimSuffix(name, ".max"), "every metric is listed")
	}
}

var block = regexp.MustCompile("(?s)```(?:yaml)?\n(.*?)```")

// The plan and the problems on the page are what the program prints.
func TestThePageShowsWhatIsPrinted(t *testing.T) {
	var example, plan, problems, story, storyPlan string
	for _, b := range block.FindAllStringSubmatch(page(t), -1) {
		switch text := b[1]; {
		case strings.Contains(text, "scenario: slow-gateway"):
			example = text
		case strings.HasPrefix(text, "slow-gateway on reference"):
			plan = text
		case strings.Contains(text, "scenario: the-third-charge"):
			story = text
		case strings.HasPrefix(text, "the-third-charge on reference"):
			storyPlan = text
		case strings.HasPrefix(text, "slow-gateway.yaml:"):
			problems = text
		}
	}
	s, wrong := scenarios.Parse("slow-gateway.yaml", []byte(example), real())
	require.Empty(t, wrong, "%v", wrong)
	assert.Equal(t, plan, s.Plan(42, "").String())
	s, wrong = scenarios.Parse("the-third-charge.yaml", []byte(story), real())
	require.Empty(t, wrong, "%v", wrong)
	assert.Equal(t, storyPlan, s.Plan(1, "").String())

	const broken = "scenario: slow-gateway\nworkload:\n  orders: {rate: 40, for: 8s}\nfaults:\n" +
		"  - partitoin: relay <-> broker\n    at: 3s\n    for: 1s\n  - crash: gateway\n    at: 9s\n"
	_, wrong = scenarios.Parse("slow-gateway.yaml", []byte(broken), real())
	assert.Equal(t, problems, wrong.Error()+"\n")

	for _, info := range scenarios.Shipped() {
		assert.Contains(t, page(t), "| `"+info.Name+"` | "+info.About+" |\n")
	}
}

func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/scenarios.md")
	require.NoError(t, err)
	return string(text)
}
