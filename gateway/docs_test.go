package gateway

import (
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/rclone-gateway/rclone-gateway/gateway/access"
	"github.com/rclone-gateway/rclone-gateway/gateway/dashboard"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/status"
	"github.com/rclone-gateway/rclone-gateway/gateway/status/page"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
	"github.com/rclone-gateway/rclone-gateway/internal/docgen"
	"github.com/rclone-gateway/rclone-gateway/internal/docgen/docgentest"
)

func TestReferenceOfHTTP(t *testing.T) {
	t.Parallel()
	var w strings.Builder
	w.WriteString(`# HTTP

Repositories are served at ` + "`/DESTINATION/APP/UUID/`" + `, in restic's REST protocol, versions 1 and 2.
Every request carries a Redis user and its password in Basic authentication. The path
is taken as it stands: empty and dot segments belong to nobody, and to a module neither do
bytes that it need not have encoded.

Path and method decide what a request is: GET, HEAD, POST, PUT and DELETE of an object need
no Accept header, so that clients such as rustic are served. A list is asked for by its type,
` + "`application/vnd.x.restic.rest.v2` or `….v1`" + `. Everything else is [WebDAV](#webdav).

## The gateway's own paths

| method | path | for | answer |
|---|---|---|---|
`)
	writeOwnPaths(t, &w)
	writePermissions(t, &w)
	w.WriteString(webDAV)
	writeStatuses(&w)
	docgentest.Page(t, "http.md", w.String())
}

// ownPaths describes each of the gateway's own paths: by method and path whom it is for,
// and what is answered.
var ownPaths = map[string][2]string{
	"GET /-/healthy": {"everybody", "200 while the process serves at all"},
	"GET /-/ready":   {"everybody", "200 while it serves what Redis says now, else 503"},
	"GET /metrics":   {"nodes", "[metrics](../metrics.md)"},
	"GET " + adminapi.HealthPath: {"who may read the repository", "with `?repository=DESTINATION/APP/UUID`, and `&write=true` to have writes tried too: how the destination is, " +
		"as [JSON](#health-of-a-destination)"},
	"GET " + page.StylePath:                                                   {"", ""}, // its name is of its content
	"GET " + page.ScriptPath:                                                  {"", ""}, // likewise
	"GET " + page.Base + "/runs/live":                                         {"the same", "what is being run, as a part of that page"},
	"GET " + page.Base + "/runs/{id}":                                         {"the same", "one run: what it came to, and what it said"},
	"GET " + page.Base + "/modules/{app}/{uuid}/snapshots/{snapshot}":         {"the same", "with `?destination=ID&path=PATH` and `--snapshots-socket`: what a directory of a snapshot holds"},
	"GET " + page.Base + "/modules/{app}/{uuid}/snapshots/{snapshot}/content": {"the same", "likewise: a file of it, or a directory as zip"},
	"GET " + page.Base:                                                        {"nodes, administrators, [logged in](../how-to/look.md)", "the page: the verdict, and what needs attention"},
	"GET " + page.Base + "/attention":                                         {"the same", "all that needs attention"},
	"GET " + page.Base + "/modules":                                           {"the same", "all modules"},
	"GET " + page.Base + "/modules/{app}/{uuid}":                              {"the same", "one module: its restore points, sizes, last check and drill, next run, what ran"},
	"GET " + page.Base + "/destinations":                                      {"the same", "all destinations"},
	"GET " + page.Base + "/destinations/{id}":                                 {"the same", "one destination: health, space, limits, requests"},
	"GET " + page.Base + "/runs":                                              {"the same", "schedules, and what ran"},
	"GET " + dashboard.ActPath + "/run":                                       {"the same, with `--status-actions`", "asks before: a run of a schedule, now"},
	"POST " + dashboard.ActPath + "/run":                                      {"the same", "does it"},
	"GET " + dashboard.ActPath + "/pause":                                     {"the same, with `--status-actions`", "asks before: the pause of a schedule"},
	"POST " + dashboard.ActPath + "/pause":                                    {"the same", "does it"},
	"GET " + dashboard.ActPath + "/resume":                                    {"the same, with `--status-actions`", "asks before: its end"},
	"POST " + dashboard.ActPath + "/resume":                                   {"the same", "does it"},
	"GET " + dashboard.ActPath + "/check":                                     {"the same, with `--status-actions`", "asks before: the test of a destination"},
	"POST " + dashboard.ActPath + "/check":                                    {"the same", "does it"},
	"GET " + dashboard.ActPath + "/restore":                                   {"the same, with `--status-actions`", "asks before: what was deleted of a repository comes back"},
	"POST " + dashboard.ActPath + "/restore":                                  {"the same", "does it"},
	"GET " + dashboard.ActPath + "/acknowledge":                               {"the same, with `--status-actions`", "asks before: what needs attention and is known"},
	"POST " + dashboard.ActPath + "/acknowledge":                              {"the same", "does it"},
	"GET " + page.Base + "/activity":                                          {"the same", "the audit log, and who was refused"},
	"GET " + page.Base + "/gateways":                                          {"the same", "the gateways of the nodes, and Redis"},
	"GET " + dashboard.LoginPath:                                              {"everybody", "the form to log in with"},
	"POST " + dashboard.LoginPath:                                             {"nodes, administrators", "begins a session, in a signed cookie"},
	"POST " + dashboard.LogoutPath:                                            {"nodes, administrators", "ends it"},
	"GET " + status.OpenAPIPath:                                               {"nodes, administrators", "the [description of the API](openapi.json), in the form of OpenAPI 3.1"},
	"POST " + adminapi.CheckPath:                                              {"nodes, on this host", "for `gatewayctl destination check` and `add`: what works at a destination, as JSON"},
	"POST " + adminapi.ObscurePath:                                            {"nodes, on this host", "for `gatewayctl destination add`: values of a section as rclone wants them"},
	"POST " + adminapi.TrashListPath:                                          {"nodes, on this host", "for `gatewayctl trash list`: what was deleted and can be had again"},
	"POST " + adminapi.TrashRestorePath:                                       {"nodes, on this host", "for `gatewayctl trash restore`: brings it back"},
	"POST " + adminapi.RollbackPath:                                           {"nodes, on this host", "for `gatewayctl repository rollback`: makes a repository what it was at a time"},
	"POST " + adminapi.FreezePath:                                             {"nodes, on this host", "for `gatewayctl repository freeze`: its module may read and not write"},
	"POST " + adminapi.ThawPath:                                               {"nodes, on this host", "for `gatewayctl repository thaw`: it may write again"},
	"POST " + adminapi.HistoryPath:                                            {"nodes, on this host", "for `gatewayctl repository history`: what came and went, by day"},
	"POST " + adminapi.SpacePath:                                              {"nodes, on this host", "for `gatewayctl destination list`: the space of each destination"},
	"GET " + adminapi.ModuleFactsPath:                                         {"modules", "what the module must know of itself, as [JSON](#modules-of-other-hosts)"},
	"GET " + adminapi.ModulePasswordPath:                                      {"modules that may read the repository", "with `?repository=DESTINATION/APP/UUID`: the password that opens it"},
	"GET " + adminapi.ModuleDumpsPath:                                         {"modules", "the module's label and note, as Redis' DUMP returns them"},
	"POST " + adminapi.ModuleOutcomesPath:                                     {"modules", "records what backups of the module came to"},
	"POST " + adminapi.LeasePath:                                              {"who may save to the repository", "a [lease](#leases) of it"},
	"POST " + adminapi.PairPath:                                               {"who has a [pairing code](#pairing-codes)", "the settings of its module, once"},
	"PUT " + adminapi.LeasePath:                                               {"who holds the lease", "renews it"},
	"DELETE " + adminapi.LeasePath:                                            {"who holds the lease", "releases it"},
}

// writeOwnPaths holds the descriptions against the routes.
func writeOwnPaths(t *testing.T, w *strings.Builder) {
	t.Helper()
	opts := Defaults()
	opts.Log, opts.StatusActions = discard, true
	g, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	err = chi.Walk(g.ownRoutes(), func(method, path string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if method == http.MethodHead { // of a GET
			return nil
		}
		words, known := ownPaths[method+" "+path]
		for _, e := range status.Endpoints {
			if method+" "+path == "GET "+status.APIBase+e.Path {
				words, known = [2]string{"nodes, administrators", "as JSON: " + lowerFirst(e.Doc)}, true
			}
		}
		if !known {
			t.Errorf("ownPaths does not describe %s %s", method, path)
		}
		if words[0] == "" {
			return nil
		}
		rows = append(rows, "| "+method+" | `"+path+"` | "+words[0]+" | "+words[1]+" |\n")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(rows)
	w.WriteString(strings.Join(rows, ""))
	fields := reflect.TypeFor[adminapi.HealthReply]()
	w.WriteString("| GET | `/DESTINATION/_probe_rest_404` | everybody | 404 while this node itself reaches the destination, else 503: for peers and NethServer 8's health checks |\n" + `
## Health of a destination

Restic hears no more of a failure than a status, so clients may ask why. The storage is asked past
the retries and the circuit breaker, and the answer serves others for a few seconds. It holds no
secret, and nothing that the storage said. The status is 200 whatever the state is; a wrong password
is answered 401, and a repository that the caller may not read 403.

| key | what it holds |
|---|---|
`)
	for field := range fields.Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if healthKeys[key] == "" {
			t.Errorf("healthKeys does not describe %q", key)
		}
		fmt.Fprintf(w, "| `%s` | %s |\n", key, healthKeys[key])
	}
	w.WriteString(leaseWords)
	w.WriteString(pairingWords)
	w.WriteString(moduleWords)
}

func lowerFirst(text string) string { return strings.ToLower(text[:1]) + text[1:] }

const leaseWords = `
## Leases

Who backs up, forgets, prunes, checks or copies holds a lease of the repository, so that no two do
that at once, on whichever node. A body is JSON:

| key | what it holds |
|---|---|
| ` + "`repository`" + ` | DESTINATION/APP/UUID |
| ` + "`for`" + ` | with POST: what it is for, such as ` + "`backup`" + ` |
| ` + "`lockers`" + ` | with POST and PUT: the host names in the locks of this run, each with a space and the process ID behind it where restic runs without a container |
| ` + "`token`" + ` | with PUT and DELETE: that of the lease |
| ` + "`clean`" + ` | with DELETE: true where no locks of dead runs are left |

The answer is 200. It has ` + "`token`, `counter`" + ` (which only grows), ` + "`seconds`" + ` (how long the lease lives
unless it is renewed) and ` + "`dead`" + ` (the lockers of runs that ended without a release, whose locks belong
to nobody). Where somebody else has the lease there is ` + "`held`" + ` instead, with ` + "`holder`, `for`, `since` and\n`seconds`" + `;
where the caller has it no longer, ` + "`lost`" + `. While Redis does not answer it is 503.

Where a destination demands leases (` + "`gatewayctl destination alter --leases yes`" + `), a node deletes
nothing from a repository of which it holds none, but for the locks that it saved through the same gateway
within the hour: that is 403, which ends restic; 503 while Redis does not answer. Modules, which delete
locks alone, need no lease for that.

`

const pairingWords = `## Pairing codes

` + "`gatewayctl module add --pair` makes a code, and `gatewayctl module join` redeems it" + ` on the module's host,
without other credentials. From the code both derive (HKDF-SHA-256) a ticket and a key. The body is JSON with ` + "`ticket`" + `;
the answer has ` + "`sealed`" + `, in base64: the settings, with the module's password in them, encrypted with the key
(AES-256-GCM). The gateway takes them out of Redis by that, so that of many who ask at once one gets them, and can open
them no more than who reads Redis or the network can.

A ticket that is wrong, was used or has expired is 403 in each case. After ten of them within ten minutes an address
gets 429 with ` + "`Retry-After`" + `; while Redis does not answer it is 503, and the code stays good. Only the gateway of the
module's node has the code. The audit log holds who got a module's settings, and who was refused.

`

const moduleWords = `## Modules of other hosts

A module whose host reaches no Redis asks the gateway, with its own credentials, and hears of itself alone.

` + "`GET " + adminapi.ModuleFactsPath + "`" + ` answers with its ` + "`id`, `uuid`" + `, ` + "`own` and `granted`" + ` (the paths, APP/UUID, of its repositories,
and of those that it may restore from), ` + "`schedules`" + ` (those that list it: ` + "`id`, `name`, `enabled`, `calendar`, `destination`" + `)
and ` + "`destinations`" + ` (` + "`id`, `name`, `provider`" + `). While the gateway does not reach Redis, it is what that said last, and
there is ` + "`stale`" + `.

` + "`GET " + adminapi.ModulePasswordPath + "?repository=DESTINATION/APP/UUID`" + ` answers with the ` + "`password`" + `, to whom [may read the
repository](#who-may-do-what-to-a-repository), and ` + "`own`" + ` where it opens those of that module alone. The audit log holds it.

` + "`GET " + adminapi.ModuleDumpsPath + "`" + ` answers with ` + "`ui_name` and `ui_note`" + `, in base64.

` + "`POST " + adminapi.ModuleOutcomesPath + "`" + ` takes up to 100 ` + "`outcomes`" + ` in 256 KiB, each with ` + "`id`" + ` (what comes twice counts once), ` + "`schedule`" + ` (which
must list the module), ` + "`outcome`" + ` (done, partial, failed) and ` + "`ended`" + `, and may have ` + "`started`, `snapshot_id`, `files`, `bytes`, `bytes_added`, `error`,\n`exit_status` and `missing`" + `.
The gateway writes them into its node's history. The answer has ` + "`recorded`, and `unlisted`" + ` (the schedules that do not list the
module, of which nothing was recorded); where none lists it, it is 403. A module posts 60 times at once, and 6 times a minute after
that; then it is 429.

While Redis does not answer, all but the facts are 503.

`

// healthKeys describes the keys of an answer of health.
var healthKeys = map[string]string{
	"destination": "destination ID",
	"name":        "its name",
	"state":       "`" + adminapi.HealthWorks + "`, `" + adminapi.HealthUnreadable + "` or `" + adminapi.HealthUnwritable + "` (it is read, and refuses writes; only with `write=true`)",
	"key_refused": "true where the storage refuses the gateway's credentials, or their rights do not suffice",
	"reason":      "what is wrong and what to do",
	"request_id":  "`req` of this request in the gateway's log",
}

const webDAV = `## WebDAV

Class 1 of RFC 4918, at ` + "`/`" + ` for the list of destinations, at ` + "`/DESTINATION/`" + ` and below. A
listing is current: what was stored in whichever way is seen at once.

| method | |
|---|---|
| OPTIONS | ` + "`DAV: 1`" + `; there are no locks, and none are pretended |
| PROPFIND | ` + "`Depth: 0` and `Depth: 1`" + `; without the header, and with ` + "`Depth: infinity`, 403 with `propfind-finite-depth`" + `; up to 64 KiB of XML without a document type, 64 properties |
| GET, HEAD | a file, with one range and all conditions of RFC 9110; of a directory its names, encoded, one a line |
| PUT | all or nothing, with ` + "`Content-Length`" + `; 201 for a new file and for an existing one |
| MKCOL | 201; no body |
| DELETE | a file, or a directory with all that is in it; 204 |
| MOVE, COPY | within one destination; ` + "`Overwrite`" + `; 201, or 204 where something was replaced |

` + "`If-Match`, `If-None-Match`, `If-Modified-Since` and `If-Unmodified-Since`" + ` are judged while nobody
else changes the file through this gateway; ` + "`If`" + ` is refused, since it names locks. PROPPATCH,
LOCK and UNLOCK are 405.

A repository is restic's. In it,

* ` + "`data/<hex>`, `keys/<hex>` and their like" + `, and ` + "`config`" + `, are the objects above for every method,
  and so are packs by the names that they have on the storage, ` + "`data/ab/abcd…`" + `: they can be read, and what
  is put there must hash to its name and lie in its shard. So rclone copies a repository over WebDAV;
* directories can be listed and made, and neither be moved, copied nor deleted, nor can what holds them;
* nothing else can be stored.

In a bucket a directory is there as long as there is a file below it: MKCOL answers 201 and leaves nothing behind.

`

func writePermissions(t *testing.T, w *strings.Builder) {
	t.Helper()
	rows := []struct {
		operations []operation.Operation
		words      string
	}{
		{[]operation.Operation{operation.Other}, "other paths and methods, where yes is 404 or 405"},
		{[]operation.Operation{operation.Head, operation.Read, operation.List}, "read objects and lists"},
		{[]operation.Operation{operation.Create}, "create the repository"},
		{[]operation.Operation{operation.SaveConfig}, "save `config`"},
		{[]operation.Operation{operation.Save}, "save packs, snapshots and indexes"},
		{[]operation.Operation{operation.SaveKey}, "save the first key of a new repository"},
		{[]operation.Operation{operation.AddKey}, "save another key"},
		{[]operation.Operation{operation.SaveLock}, "save locks"},
		{[]operation.Operation{operation.RemoveLock}, "delete locks"},
		{[]operation.Operation{operation.Remove}, "delete anything else"},
		{[]operation.Operation{operation.Roots}, "WebDAV: see which destinations there are"},
		{[]operation.Operation{operation.Browse}, "WebDAV: look at the repository and its `<uuid>.json`"},
		{[]operation.Operation{operation.Put, operation.Change}, "WebDAV: change anything"},
	}
	relations := [access.RelationEnd]string{
		access.Nobody:   "",
		access.Stranger: "any other module",
		access.Grantee:  "module restored from it",
		access.Owner:    "module it belongs to",
		access.Operator: "node",
	}
	w.WriteString("## Who may do what to a repository\n\n| |")
	for _, name := range relations[access.Stranger:] {
		fmt.Fprintf(w, " %s |", name)
	}
	w.WriteString("\n|---|" + strings.Repeat("---|", int(access.RelationEnd-access.Stranger)) + "\n")
	told := map[operation.Operation]bool{}
	for _, row := range rows {
		fmt.Fprintf(w, "| %s |", row.words)
		for r := access.Stranger; r < access.RelationEnd; r++ {
			may := access.Allow(r, row.operations[0])
			for _, op := range row.operations {
				told[op] = true
				if access.Allow(r, op) != may {
					t.Errorf("%q is one row, and its operations differ", row.words)
				}
			}
			word := "no"
			if may {
				word = "yes"
			}
			fmt.Fprintf(w, " %s |", word)
		}
		w.WriteString("\n")
	}
	for op := range operation.Probe { // from there on they are the gateway's own
		if !told[op] {
			t.Errorf("operation %d has no words", op)
		}
	}
	w.WriteString(`
**A repository as it was** is at ` + "`/DESTINATION/APP/UUID@TIME/`" + `, with a time as in RFC 3339, in UTC,
with whole seconds: ` + "`…@2026-11-29T20:00:00Z/`" + `. It has what had been received by the end of that
second and not been deleted, for whoever may read the repository ([more](../how-to/undo.md#look-at-a-repository-as-it-was)).
What is saved or deleted there is 403, but for locks: each user has its own, up to 32 of 16 KiB, in the
gateway's memory for 35 minutes, which nobody else sees. A time that is not over, or before something that was purged, is
403, with the earliest time in the body; what begins like a time and is none is 404. The log has the
repository with its time. WebDAV does not show it.

Of **a frozen repository** its module may read objects and lists, and has locks in the same
way; all else that it may do to others is 403.

Objects are named by the hash of their content, and no other content is taken: an
upload of what is there already writes the same again. The ` + "`config`" + ` has no such name; a
module cannot replace it, a node can. A module's new ` + "`init`" + ` removes the key that an
unfinished one left behind, where the repository has neither config nor data.

A module saves one key, and the config, of a repository that has no config, index,
snapshot or pack yet; so ` + "`restic key add`" + ` and ` + "`key passwd`" + ` are for nodes. For 20 minutes
after a node deleted the config, as ` + "`restic migrate`" + ` does for a moment, neither is taken.

What is saved must have the form of what restic saves, whoever saves it, or it is 400:

| object | what is taken |
|---|---|
| ` + "`keys/`" + ` | up to 16 KiB of JSON: ` + "`kdf`" + ` scrypt, N a power of two up to 2^20 (restic's is 2^15, and less on a machine that is busy), r up to 64 (8), p up to 8192; 128·N·r up to 256 MiB, N·r·p up to 2^24; ` + "`salt`" + ` of 64 bytes; ` + "`data`" + ` of 96 bytes to 4 KiB |
| ` + "`config`" + ` | 34 bytes to 1 MiB |
| ` + "`locks/`" + ` | 34 bytes to 64 KiB |
| ` + "`snapshots/`" + ` | 34 bytes to 64 MiB |
| ` + "`index/`" + ` | 34 bytes to 256 MiB |
| ` + "`data/`" + ` | any size |

A module saves up to so many snapshots and indexes an hour, and its repository holds up to
so many locks, as [the limits of the destination](redis.md) say; then its saves are 429, with
` + "`Retry-After`" + `. Locks are counted when as many were saved through one process as are
allowed, so that there can be twice as many.

`)
}

// resticDoes says what a status does to a running backup.
var resticDoes = map[int]string{
	http.StatusBadRequest:                   "tries again, and uploads whole",
	http.StatusUnauthorized:                 "stops",
	http.StatusForbidden:                    "stops",
	http.StatusNotFound:                     "stops",
	http.StatusMethodNotAllowed:             "sends no such request",
	http.StatusRequestTimeout:               "tries again",
	http.StatusConflict:                     "tries again",
	http.StatusPreconditionFailed:           "sends no such request",
	http.StatusRequestEntityTooLarge:        "sends no such request",
	http.StatusUnsupportedMediaType:         "sends no such request",
	http.StatusLengthRequired:               "sends no such request",
	http.StatusRequestedRangeNotSatisfiable: "stops",
	http.StatusTooManyRequests:              "tries again",
	http.StatusInternalServerError:          "tries again",
	http.StatusNotImplemented:               "sends no such request",
	http.StatusBadGateway:                   "tries again",
	http.StatusServiceUnavailable:           "tries again",
	http.StatusInsufficientStorage:          "stops (0.18.1 and newer), or tries again",
	http.StatusLoopDetected:                 "tries again",
}

func writeStatuses(w *strings.Builder) {
	w.WriteString(`## Errors

The first row that fits counts. The body holds the status and the id of the request,
which the log has under ` + "`req`" + ` with the cause. After the first byte of an answer an error
breaks the connection off, so that nothing cut looks complete.

| error | status | restic |
|---|---|---|
`)
	for _, kind := range refusal.Kinds() {
		if code := kind.Status; code != 0 {
			fmt.Fprintf(w, "| %s | %d %s | %s |\n", docgen.Cell(kind.Err.Error()), code, http.StatusText(code), resticDoes[code])
		}
	}
	fmt.Fprintf(w, "| anything else: the storage's fault | %d %s | %s |\n",
		http.StatusBadGateway, http.StatusText(http.StatusBadGateway), resticDoes[http.StatusBadGateway])
	fmt.Fprintf(w, "| the client went away | %d, in the log only | |\n", refusal.StatusClientGone)
}

func TestEveryStatusTellsWhatResticDoes(t *testing.T) {
	t.Parallel()
	for _, kind := range refusal.Kinds() {
		if kind.Status != 0 && resticDoes[kind.Status] == "" {
			t.Errorf("resticDoes does not know what restic does at %d", kind.Status)
		}
	}
}

// keyMeaning describes every key of the log.
var keyMeaning = map[string]string{
	"addr":         "address that is listened on",
	"bytes":        "how many bytes",
	"count":        "how many",
	"dest":         "destination ID",
	"destinations": "how many destinations there are",
	"detail":       "what the Redis client library says",
	"err":          "the cause; holds no secret",
	"file":         "the file of the audit log",
	"what":         "what the audit log would have said was done",
	"failures":     "how many requests failed one after the other",
	"from":         "address of the caller",
	"hint":         "what to do about it",
	"kept":         "whether the token is kept in the state directory",
	"key":          "key of Redis",
	"method":       "HTTP method",
	"mount":        "where the disk was mounted",
	"node":         "ID of the node that is asked, or that a request was passed on to",
	"obj":          "object in the repository: `data/ba78…`, `config`; over WebDAV the name in the destination; or which of the gateway's own paths",
	"panic":        "the defect",
	"reason":       "why",
	"received":     "bytes of the request's body",
	"repo":         "repository in the destination: APP/UUID",
	"req":          "id of the request, as in the body of an error and in `X-Request-Id`",
	"retired":      "how many destinations were closed, as they changed or are gone",
	"root":         "directory of a destination on a disk",
	"schedule":     "ID of a schedule",
	"seconds":      "how long it took",
	"sent":         "bytes of the answer's body",
	"serving":      "whether an earlier state of Redis serves meanwhile",
	"signal":       "the signal",
	"stack":        "where the defect is",
	"status":       "HTTP status",
	"untold":       "how many requests failed at that destination for the same reason since the last such line",
	"user":         "Redis user",
	"users":        "how many users there are",
}

// A logLine is a place in the code that logs.
type logLine struct {
	level, message string
	keys           []string
}

func TestReferenceOfLog(t *testing.T) {
	t.Parallel()
	lines := loggedLines(t, ".", filepath.Join("..", "cmd", "rclone-gateway"), filepath.Join("..", "internal", "redisconn"))
	var w strings.Builder
	w.WriteString(`# Log

The log goes to stderr: one line an event, text on a terminal, JSON elsewhere
(` + "`--log-format`" + `), from the level of ` + "`--log-level`" + ` on. Besides the keys below a line has ` + "`time`, `level`\nand `msg`" + `.

A request has a line of its own: at level debug where it succeeded, at info where it
was refused, at error where the gateway or the storage failed. Where many fail at one destination
for one reason, there is one line a minute, with how many have none; level debug has them all.

## Keys

| key | what it holds |
|---|---|
`)
	used := map[string]bool{}
	for _, line := range lines {
		for _, key := range line.keys {
			used[key] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(used)) {
		if keyMeaning[key] == "" {
			t.Errorf("the log has the key %q, and keyMeaning does not say what it holds", key)
		}
		fmt.Fprintf(&w, "| `%s` | %s |\n", key, keyMeaning[key])
	}
	for key := range keyMeaning {
		if !used[key] {
			t.Errorf("keyMeaning describes %q, which no line of the log has", key)
		}
	}
	w.WriteString("\n## Lines\n\n| level | line | keys |\n|---|---|---|\n")
	for _, line := range lines {
		fmt.Fprintf(&w, "| %s | %s | %s |\n", line.level, docgen.Cell(line.message), strings.Join(line.keys, ", "))
	}
	docgentest.Page(t, "log.md", w.String())
}

// loggedLines finds what the code below the directories logs, sorted by message.
func loggedLines(t *testing.T, dirs ...string) []logLine {
	t.Helper()
	var lines []logLine
	for _, dir := range dirs {
		err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(gotoken.NewFileSet(), filepath.Join(dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			lines = append(lines, loggedLinesIn(file)...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.SortFunc(lines, func(a, b logLine) int {
		return strings.Compare(strings.ToLower(a.message)+a.level, strings.ToLower(b.message)+b.level)
	})
	return slices.CompactFunc(lines, func(a, b logLine) bool { return a.message == b.message && a.level == b.level })
}

func loggedLinesIn(file *ast.File) []logLine {
	var lines []logLine
	var attrs []string // of slog.String and its like, which belong to the file's LogAttrs
	request := -1
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		function, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		name := function.Sel.Name
		if name == "LogAttrs" {
			lines, request = append(lines, logLine{level: "any", message: text(call.Args[2])}), len(lines)
			return true
		}
		if isSlog(function) && slices.Contains([]string{"String", "Int", "Int64", "Float64", "Any", "Bool", "Duration"}, name) {
			attrs = append(attrs, text(call.Args[0]))
			return true
		}
		level := strings.TrimSuffix(name, "Context")
		args := call.Args
		if level != name {
			args = args[1:]
		}
		if !slices.Contains([]string{"Debug", "Info", "Warn", "Error"}, level) || len(args) == 0 || text(args[0]) == "" {
			return true
		}
		line := logLine{level: strings.ToLower(level), message: text(args[0])}
		for i := 1; i < len(args); i += 2 {
			if key := text(args[i]); key != "" {
				line.keys = append(line.keys, key)
			}
		}
		lines = append(lines, line)
		return true
	})
	if request >= 0 {
		lines[request].keys = attrs
	}
	return lines
}

func isSlog(function *ast.SelectorExpr) bool {
	name, ok := function.X.(*ast.Ident)
	return ok && name.Name == "slog"
}

// text is the value of a string literal, "" of anything else.
func text(expr ast.Expr) string {
	literal, ok := expr.(*ast.BasicLit)
	if !ok || literal.Kind != gotoken.STRING {
		return ""
	}
	value, err := strconv.Unquote(literal.Value)
	if err != nil {
		return ""
	}
	return value
}
