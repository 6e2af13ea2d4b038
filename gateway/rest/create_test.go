package rest_test

import (
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

// TestCreateAfterAKilledInit tells a key that an init left alone from one that
// opens something.
func TestCreateAfterAKilledInit(t *testing.T) {
	key, other := "keys/"+nameOf("a key"), "keys/"+nameOf("another key")
	pack := "data/" + nameOf("a pack")[:2] + "/" + nameOf("a pack")
	for _, tt := range []struct {
		about  string
		others []string
		status int
		stays  bool
	}{
		{about: "keys alone are removed", status: 200},
		{about: "a lock beside them is nothing", others: []string{"locks/" + nameOf("a lock")}, status: 200},
		{about: "beside the config they stay", others: []string{"config"}, status: 200, stays: true},
		{about: "beside a pack they stay, and the loss is told", others: []string{pack}, status: 403, stays: true},
		{about: "beside a snapshot too", others: []string{"snapshots/" + nameOf("a snapshot")}, status: 403, stays: true},
		{about: "and beside an index", others: []string{"index/" + nameOf("an index")}, status: 403, stays: true},
	} {
		t.Run(tt.about, func(t *testing.T) {
			store := storetest.NewMem()
			for _, name := range append(tt.others, key, other) {
				put(t, store, name, "content")
			}
			serve(t, store).run(t, []call{{about: "create", method: "POST", path: "?create=true", status: tt.status}})
			for _, name := range []string{key, other} {
				if _, there := stored(t, store, name); there != tt.stays {
					t.Errorf("%s is there: %v, want %v", name, there, tt.stays)
				}
			}
		})
	}
}
