package integration

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/retention"
	"github.com/rclone-gateway/rclone-gateway/internal/repotest"
)

// backupTimes makes the times of a module's backups: daily, hourly or at random, with gaps,
// some at once, in the time zones that clients have.
func backupTimes(r *rand.Rand, now time.Time) (times []time.Time) {
	zones := []*time.Location{time.UTC, time.FixedZone("", 3600), time.FixedZone("", -5*3600), time.FixedZone("", 5*3600+1800)}
	zone := zones[r.IntN(len(zones))]
	step := []time.Duration{time.Hour, 5 * time.Hour, 24 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 31 * 24 * time.Hour}[r.IntN(6)]
	at := now.Add(-time.Duration(r.Int64N(int64(48 * time.Hour))))
	for range 1 + r.IntN(24) {
		if r.IntN(8) == 0 {
			zone = zones[r.IntN(len(zones))]
		}
		times = append(times, at.In(zone).Truncate(time.Millisecond))
		switch r.IntN(10) {
		case 0: // several close together
			at = at.Add(-time.Duration(1 + r.Int64N(int64(time.Hour))))
		case 1:
			at = at.Add(-step * time.Duration(2+r.IntN(20)))
		default:
			at = at.Add(-step - time.Duration(r.Int64N(int64(step/4))))
		}
	}
	return times
}

// anyPolicy makes a policy, as retention and as restic has it.
func anyPolicy(r *rand.Rand) (p retention.Policy, args []string) {
	for p.Empty() {
		args = nil
		for _, rule := range []struct {
			flag  string
			count *int
		}{
			{"last", &p.Last}, {"hourly", &p.Hourly}, {"daily", &p.Daily}, {"weekly", &p.Weekly}, {"monthly", &p.Monthly}, {"yearly", &p.Yearly},
		} {
			if *rule.count = 0; r.IntN(3) == 0 {
				*rule.count = 1 + r.IntN(9)
				args = append(args, "--keep-"+rule.flag, strconv.Itoa(*rule.count))
			}
		}
		if p.Within = (retention.Span{}); r.IntN(3) == 0 {
			p.Within = retention.Span{Months: r.IntN(3), Days: r.IntN(40), Hours: 1 + r.IntN(30)}
			args = append(args, "--keep-within", fmt.Sprintf("%dm%dd%dh", p.Within.Months, p.Within.Days, p.Within.Hours))
		}
	}
	return p, args
}

// TestRetentionAnswersAsRestic asks both for what goes, of many histories by many
// policies: as many as 100 histories in a repository, by host, of honest snapshots whose
// time is that of their receipt. RETENTION_ROUNDS are the policies that are tried.
func TestRetentionAnswersAsRestic(t *testing.T) {
	t.Parallel()
	rounds, _ := strconv.Atoi(os.Getenv("RETENTION_ROUNDS"))
	for _, version := range []string{"RESTIC_0_14", "RESTIC_0_18"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			r := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a test's
			repository := filepath.Join(t.TempDir(), "repository")
			restic := restic{program(t, version), repository, t.TempDir()}
			tree := t.TempDir()
			writeFile(t, filepath.Join(tree, "file"), []byte("content"))
			restic.seed(t, 1)
			restic.run(t, "backup", "--host", "template", tree)
			snapshots := forgeHistories(t, restic, repository, r, 100)
			for range max(rounds, 6) {
				wantSameAnswer(t, restic, snapshots, r, version == "RESTIC_0_14")
			}
		})
	}
}

// forgeHistories saves snapshots for so many hosts, and returns them.
func forgeHistories(t *testing.T, restic restic, repository string, r *rand.Rand, hosts int) (snapshots []*retention.Snapshot) {
	t.Helper()
	var key repotest.MasterKey
	if err := json.Unmarshal([]byte(restic.run(t, "cat", "masterkey")), &key); err != nil {
		t.Fatal(err)
	}
	var template []map[string]any
	if err := json.Unmarshal([]byte(restic.run(t, "snapshots", "--json")), &template); err != nil || len(template) != 1 {
		t.Fatalf("%v, %v", template, err)
	}
	now := time.Now()
	for host := range hosts {
		for _, at := range backupTimes(r, now) {
			content, err := json.Marshal(map[string]any{
				"time": at.Format(time.RFC3339Nano), "tree": template[0]["tree"], "paths": []string{"/srv"}, "hostname": fmt.Sprint("host", host), "username": "root",
			})
			if err != nil {
				t.Fatal(err)
			}
			sealed := key.Seal(t, content)
			writeFile(t, filepath.Join(repository, "snapshots", nameOf(sealed)), sealed)
			snapshots = append(snapshots, &retention.Snapshot{
				ID: nameOf(sealed), Time: at, Received: at, Hostname: fmt.Sprint("host", host), Paths: []string{"/srv"}, Size: -1, Acknowledged: true,
			})
		}
	}
	return snapshots
}

// wantSameAnswer asks both for one policy. Restic before 0.17 lets the oldest snapshot of
// a history go even where a rule has not kept its number yet.
func wantSameAnswer(t *testing.T, restic restic, snapshots []*retention.Snapshot, r *rand.Rand, old bool) {
	t.Helper()
	policy, args := anyPolicy(r)
	var answer []struct {
		Host   string
		Remove []struct{ ID string }
	}
	text := restic.run(t, append([]string{"forget", "--dry-run", "--json", "--group-by", "host"}, args...)...)
	if err := json.Unmarshal([]byte(text[:strings.LastIndexByte(text, ']')+1]), &answer); err != nil {
		t.Fatalf("%v: %.300s", err, text)
	}
	theirs := map[string][]string{}
	for _, group := range answer {
		for _, s := range group.Remove {
			theirs[group.Host] = append(theirs[group.Host], s.ID)
		}
	}
	ours := map[string][]string{}
	plan := retention.Decide(snapshots, policy, retention.GroupBy{Host: true}, time.Now())
	for _, s := range plan.Remove {
		ours[s.Hostname] = append(ours[s.Hostname], s.ID)
	}
	differ := 0
	for _, group := range retention.GroupBy.Groups(retention.GroupBy{Host: true}, snapshots) {
		host := group[0].Hostname
		if oldest := group[len(group)-1].ID; old && slices.Contains(theirs[host], oldest) && !slices.Contains(ours[host], oldest) {
			ours[host] = append(ours[host], oldest)
		}
		slices.Sort(ours[host])
		slices.Sort(theirs[host])
		if !slices.Equal(ours[host], theirs[host]) {
			differ++
			if differ == 1 {
				var times []string
				for _, s := range group {
					times = append(times, s.Time.Format(time.RFC3339Nano)+" "+s.ID[:8])
				}
				t.Errorf("%v of %s:\n%s\nwe remove %q\nrestic removes %q", args, host, strings.Join(times, "\n"), ours[host], theirs[host])
			}
		}
	}
	if differ > 0 {
		t.Errorf("%v: %d of 100 histories differ", args, differ)
	}
}
