package catalog_test

import (
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

const (
	limitedID = "76d73f29-7446-5baf-a700-3ad39be75475"
	aUUID     = "0b8fbdc4-8d4b-4d1c-9c45-6e6f0f3f5d11"
	otherUUID = "5a6d3c1e-1111-4222-8333-0123456789ab"
)

func TestLimitsOfAHash(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		fields map[string]string
		want   catalog.Limits
		err    string
	}{
		{"no hash", nil, catalog.Limits{}, ""},
		{
			"everything",
			map[string]string{
				"upload": "1000", "download": "2000", "operations": "8",
				"quota": "1000000000000", "module_quota": "5000", "module_quota:" + aUUID: "0",
			},
			catalog.Limits{
				Upload: 1000, Download: 2000, Operations: 8,
				Quota: 1e12, ModuleQuota: 5000, ModuleQuotas: map[string]int64{aUUID: 0},
			},
			"",
		},
		{"deleted objects are kept", map[string]string{"keep_deleted": "3600"}, catalog.Limits{KeepDeleted: 3600}, ""},
		{"deleted objects are not kept", map[string]string{"keep_deleted": "0"}, catalog.Limits{KeepDeleted: catalog.KeepNothing}, ""},
		{"a negative number", map[string]string{"upload": "-1", "quota": "5"}, catalog.Limits{Quota: 5}, "upload"},
		{"a size with a unit", map[string]string{"quota": "5G"}, catalog.Limits{}, "quota"},
		{"nothing", map[string]string{"quota": ""}, catalog.Limits{}, "quota"},
		{"a field of a later version", map[string]string{"color": "5", "quota": "5"}, catalog.Limits{Quota: 5}, "color"},
		{"the quota of no UUID", map[string]string{"module_quota:mail1": "5"}, catalog.Limits{}, "mail1"},
	} {
		got, err := catalog.ParseLimits(c.fields)
		if !reflect.DeepEqual(got, c.want) || (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %+v, %v; want %+v and an error about %q", c.name, got, err, c.want, c.err)
		}
		again := map[string]string{}
		for field, value := range got.Fields() {
			again[field] = strconv.FormatInt(value, 10)
		}
		if back, err := catalog.ParseLimits(again); err != nil || !reflect.DeepEqual(back, got) {
			t.Errorf("%s: its fields %v read as %+v, %v; want %+v", c.name, again, back, err, got)
		}
	}
}

func TestQuotaOfAModule(t *testing.T) {
	t.Parallel()
	l := catalog.Limits{ModuleQuota: 5, ModuleQuotas: map[string]int64{aUUID: 0}}
	if got := l.QuotaOf(aUUID); got != 0 {
		t.Errorf("one that is exempt has %d", got)
	}
	if got := l.QuotaOf(otherUUID); got != 5 {
		t.Errorf("any other has %d", got)
	}
}

func TestHowLongDeletedObjectsAreKept(t *testing.T) {
	t.Parallel()
	for set, want := range map[int64]time.Duration{0: 7 * 24 * time.Hour, catalog.KeepNothing: 0, 60: time.Minute} {
		l := catalog.Limits{KeepDeleted: set}
		if got := l.Keep(); got != want {
			t.Errorf("with KeepDeleted = %d they are kept for %v; want %v", set, got, want)
		}
	}
	l := catalog.Limits{KeepDeleted: 1 << 62}
	if l.Keep() <= 0 {
		t.Errorf("a very long time is %v", l.Keep())
	}
}

func TestLoadReadsLimits(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.SetupNS8()
	server.AddLocalDestination(limitedID, "/srv/backups")
	load := func() *catalog.Snapshot {
		t.Helper()
		// As a node does, with what NethServer 8 lets a node read.
		node := server.Client("node/1", redistest.Password("node/1"))
		snapshot, err := catalog.Load(t.Context(), node, catalog.LoadOptions{NodeID: "1"})
		if err != nil {
			t.Fatal(err)
		}
		return snapshot
	}
	if got := load().Limits[limitedID]; !reflect.DeepEqual(got, catalog.Limits{}) {
		t.Errorf("without a hash: %+v", got)
	}
	server.Do("HSET", catalog.LimitsKey(limitedID), catalog.FieldQuota, "5", catalog.FieldUpload, "fast")
	snapshot := load()
	if got := snapshot.Limits[limitedID]; !reflect.DeepEqual(got, catalog.Limits{Quota: 5}) {
		t.Errorf("limits %+v", got)
	}
	if len(snapshot.Warnings) != 1 || !strings.Contains(snapshot.Warnings[0].Reason, "upload") {
		t.Errorf("warnings %+v", snapshot.Warnings)
	}
	server.Do("DEL", catalog.LimitsKey(limitedID))
	server.Do("SET", catalog.LimitsKey(limitedID), "5")
	if snapshot = load(); snapshot.Destinations[limitedID] == nil || len(snapshot.Warnings) != 1 {
		t.Errorf("a key of another type: destinations %v, warnings %v", snapshot.Destinations, snapshot.Warnings)
	}
}
