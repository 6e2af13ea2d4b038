package compose

import (
	"testing"
)

func TestBuild(t *testing.T) {
	e := startEngine(t)
	e.buildImages(t)
	t.Log(e.must(t, "images"))
}
