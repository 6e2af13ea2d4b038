package catalog

import (
	"testing"
)

func TestRemotesThatASectionNames(t *testing.T) {
	t.Parallel()
	const a, b = "76d73f29-7446-5baf-a700-3ad39be75475", "b6f0639c-4276-5b7b-8752-eda8eda282db"
	s := &Snapshot{Destinations: map[string]*Destination{
		a: {ID: a, Section: map[string]string{"type": "combine", "upstreams": "x=" + b + ":p"}},
		b: {ID: b, Section: map[string]string{"type": "alias", "remote": a + ":"}},
	}}
	got := s.Foundations(a)
	if len(got) != 2 || !got[a] || !got[b] {
		t.Errorf("a cycle of two: %v", got)
	}
}
