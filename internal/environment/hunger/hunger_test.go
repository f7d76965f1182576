package hunger_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wreckon/wreckon/internal/environment/hunger"
)

func TestNobodyIsStarvedOutsideOfAContainerOfItsOwn(t *testing.T) {
	assert.ErrorContains(t, hunger.Eat(), "the first process here is no component of this program")
}
