package points

import (
	"cmp"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/inventory"
)

// module returns the name of a repository's module for people: the installed module, or the
// one in the manifest.
func (c cluster) module(r inventory.Repository) string {
	if id := c.modules[r.UUID]; id != "" {
		return id
	}
	if r.Manifest != nil && r.Manifest.ModuleID != "" {
		return host.Printable(r.Manifest.ModuleID)
	}
	return "-"
}

func printRepositories(sys *host.System, all []*surveyed, c cluster) error {
	table := tabwriter.NewWriter(sys.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DESTINATION\tMODULE\tREPOSITORY\tSNAPSHOTS\tLATEST\tNOTES")
	for _, d := range all {
		for _, r := range d.holding.Repositories {
			fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", host.Printable(d.label()), c.module(r), r.Path(), len(r.Snapshots), when(r.Latest()), cmp.Or(c.notes(r), "-"))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	tellForeign(sys, all)
	return nil
}

// tellForeign lists what no backup created.
func tellForeign(sys *host.System, all []*surveyed) {
	for _, d := range all {
		lines := make([]string, len(d.holding.Foreign))
		for i, f := range d.holding.Foreign {
			lines[i] = fmt.Sprintf("foreign on %s: %s: %s", host.Printable(d.label()), shown(f.Path), f.What)
		}
		for _, line := range host.LimitWarnings(lines) {
			sys.Notef("%s", line)
		}
	}
}

// repositoryJSON is a repository in the output of NethServer 8's action
// read-backup-repositories, with two additional fields of ours.
type repositoryJSON struct {
	ModuleID                string `json:"module_id"`
	ModuleUIName            string `json:"module_ui_name"`
	NodeFQDN                string `json:"node_fqdn"`
	Path                    string `json:"path"`
	Name                    string `json:"name"`
	UUID                    string `json:"uuid"`
	Timestamp               int64  `json:"timestamp"`
	RepositoryID            string `json:"repository_id"`
	RepositoryName          string `json:"repository_name"`
	RepositoryProvider      string `json:"repository_provider"`
	RepositoryURL           string `json:"repository_url"`
	InstalledInstance       string `json:"installed_instance"`
	InstalledInstanceUIName string `json:"installed_instance_ui_name"`
	IsGeneratedLocally      *bool  `json:"is_generated_locally"`

	Snapshots    int    `json:"snapshots"`
	LastSnapshot string `json:"last_snapshot"` // "" without one, or if its time is unknown
}

func printRepositoriesJSON(sys *host.System, all []*surveyed, c cluster) error {
	list := []repositoryJSON{}
	for _, d := range all {
		for _, r := range d.holding.Repositories {
			list = append(list, c.json(d, r))
		}
	}
	tellForeign(sys, all)
	return sys.PrintJSON(list)
}

// unknownTime is what NethServer 8 prints for an unknown time.
const unknownTime = -1

func (c cluster) json(d *surveyed, r inventory.Repository) repositoryJSON {
	id := c.modules[r.UUID]
	j := repositoryJSON{
		Path: r.Path(), Name: r.App, UUID: r.UUID, Timestamp: unknownTime,
		RepositoryID: d.id, RepositoryName: d.name, RepositoryProvider: d.provider, RepositoryURL: d.url,
		InstalledInstance: id, InstalledInstanceUIName: c.labels[id], Snapshots: len(r.Snapshots),
	}
	for _, t := range []time.Time{r.Latest(), r.Made} {
		if j.Timestamp == unknownTime && !t.IsZero() {
			j.Timestamp = t.Unix()
		}
	}
	if t := r.Latest(); !t.IsZero() {
		j.LastSnapshot = t.Local().Format(time.RFC3339)
	}
	if m := r.Manifest; m != nil {
		j.ModuleID, j.ModuleUIName, j.NodeFQDN = m.ModuleID, m.ModuleUIName, m.NodeFQDN
		if m.Timestamp > 0 {
			j.Timestamp = m.Timestamp
		}
		local := m.ClusterUUID == c.uuid
		j.IsGeneratedLocally = &local
	}
	return j
}
