package examine

import (
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// TestACheckFindsRepositoriesThatAreThereAlready where a destination is about to be
// added, so that no password is made up over them.
func TestACheckFindsRepositoriesThatAreThereAlready(t *testing.T) {
	t.Parallel()
	dav := davServer(t, nil)
	dav.Start()
	const path = "mail/0b8fbdc4-8d4b-4d1c-9c45-6e6f0f3f5d11"
	for name, d := range map[string]*catalog.Destination{
		"a directory":   {ID: destID, Type: "local", Base: t.TempDir()},
		"memory":        {ID: destID, Type: "memory", Base: "holds-repositories", Section: map[string]string{"type": "memory"}},
		"a file server": davDestination(dav.URL),
	} {
		store, closer, err := openStore(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		candidate := adminapi.CheckRequest{ID: destID, Candidate: &adminapi.Candidate{}}
		put := func(name, text string) {
			if err := store.Put(t.Context(), name, int64(len(text)), strings.NewReader(text)); err != nil {
				t.Fatal(err)
			}
		}
		put("notes/of/somebody.txt", "no repository")
		if report := Run(t.Context(), d, &catalog.Limits{}, openStore, candidate); report.Error != "" || report.Repository != nil {
			t.Errorf("%s: without one: %q (%s), %v", name, report.Error, report.Detail, report.Repository)
		}
		put(path+"/config", "encrypted")
		put(path+"/keys/"+strings.Repeat("a", 64), `{"kdf":"scrypt"}`)
		report := Run(t.Context(), d, &catalog.Limits{}, openStore, candidate)
		if found := report.Repository; found == nil || found.Path != path || len(found.Keys) != 1 || string(found.Keys[0]) != `{"kdf":"scrypt"}` {
			t.Errorf("%s: found was %v, error %q (%s)", name, report.Repository, report.Error, report.Detail)
		}
		if report := Run(t.Context(), d, &catalog.Limits{}, openStore, adminapi.CheckRequest{ID: destID}); report.Repository != nil {
			t.Errorf("%s: keys are shown for a destination that is in Redis", name)
		}
		if closer != nil {
			_ = closer.Close()
		}
	}
}
