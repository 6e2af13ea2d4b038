package state

import "testing"

func TestParsePlacedVolume(t *testing.T) {
	for text, want := range map[string]PlacedVolume{
		"data=/srv/app/../data": {"data", "/srv/data"},
		"db=docker:app_db":      {"db", "docker:app_db"},
		"db=podman:app_db":      {"db", "podman:app_db"},
		"db=app_db":             {"db", "app_db"},
		"a=/srv/with = and  x":  {"a", "/srv/with = and  x"},
	} {
		if got, err := ParsePlacedVolume(text); err != nil || got != want {
			t.Errorf("parsePlacedVolume(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "data", "data=", "=/x", "a/b=/x", "data=../x", "data=x/y", "data=docker:", "data=docker:-f", "data=/a:b", "--x=/y"} {
		if got, err := ParsePlacedVolume(text); err == nil {
			t.Errorf("parsePlacedVolume(%q) = %v, want an error", text, got)
		}
	}
}
