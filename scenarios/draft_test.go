package scenarios

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/targets"
)

// What is drafted for a target is a scenario that can be run.
func TestADraftIsAScenario(t *testing.T) {
	for _, target := range words().Targets {
		text := Draft(target, ".")
		s, problems := Parse("draft.yaml", []byte(text), words())
		require.Empty(t, problems, "%v", problems)
		assert.Equal(t, target.Name, s.Target)
		assert.NoError(t, validate(t, []byte(text)))
		assert.NotEmpty(t, s.Faults)
	}
}

// It does nothing that the target does not allow, and nothing that could not be confirmed.
func TestADraftKeepsToWhatIsAllowed(t *testing.T) {
	text := Draft(targets.Target{Name: "shop", File: "/x/shop.yaml", Lacks: []string{"read"}, Topology: targets.Topology{
		Components: []targets.Component{{Name: "shop", Faults: []string{"pause"}}, {Name: "bank", External: true, Foreign: true}},
		Edges:      []targets.Edge{{From: "shop", To: "bank", Protocol: targets.TCP}},
	}}, "/x")
	assert.Contains(t, text, "target: ./shop.yaml\n")
	assert.Contains(t, text, "pause: shop")
	assert.Contains(t, text, "reset: shop -> bank")
	for _, not := range []string{"crash", "terminate", "partition", "pause: bank"} {
		assert.NotContains(t, text, not)
	}
}
