package catalog

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/internal/docgen"
	"github.com/rclone-gateway/rclone-gateway/internal/docgen/docgentest"
)

// names are what the constants and functions of keys.go and limits.go stand for.
var names = map[string]string{
	"RcloneConf": RcloneConf, "ResticPassword": ResticPassword, "ResticPasswordRotation": ResticPasswordRotation, "ModulePassword": ModulePassword, "ModulePasswordRotation": ModulePasswordRotation, "RestoreUUID": RestoreUUID,
	"BackupSequence": BackupSequence, "ModuleUUID": ModuleUUID, "ModuleNode": ModuleNode, "ACLs": ACLs, "ModulesElsewhere": ModulesElsewhere,
	"ChangesKey": ChangesKey, "AuditHeadKey": AuditHeadKey("NODE"), "GatewayKey": GatewayKey("NODE"), "AcknowledgedKey": AcknowledgedKey("NODE"), "FrozenKey": FrozenKey("NODE"), "ClusterUUID": ClusterUUID, "ClusterNetwork": ClusterNetwork, "ClusterEnvironment": ClusterEnvironment,

	"DestinationKey": DestinationKey("ID"), "LimitsKey": LimitsKey("ID"), "BackupKey": BackupKey("ID"),
	"LeaseKey": LeaseKey("NODE", "ID", "APP/UUID"), "LiveLeaseKey": LiveLeaseKey("NODE", "ID", "APP/UUID"), "LeaseCountKey": LeaseCountKey("NODE"),
	"SchedulerKey": SchedulerKey("NODE", "ID"), "SchedulerAliveKey": SchedulerAliveKey("NODE", "SCHEDULER"),
	"LiveRunsKey": LiveRunsKey("NODE"), "PairingKey": PairingKey("NODE", "HASH"), "RunLogKey": RunLogKey("NODE", "RUN", "MODULE"), "RunRequestsKey": RunRequestsKey("NODE"), "RunsBegunKey": RunsBegunKey("NODE"), "NoticedKey": NoticedKey("NODE"),
	"PlanKey": PlanKey("ID"), "HistoryKey": HistoryKey("NODE", "ID", "MODULE"), "LastRunsKey": LastRunsKey("NODE", "ID"),
	"BackupStatusKey": BackupStatusKey("NODE", "ID"), "NodeVPNKey": NodeVPNKey("NODE"),
	"ModuleEnvironmentKey": ModuleEnvironmentKey("MODULE"), "ModuleUINameKey": ModuleUINameKey("MODULE"),
	"ModuleUINoteKey": ModuleUINoteKey("MODULE"), "ModuleFlagsKey": ModuleFlagsKey("MODULE"),

	"FieldNodeID": FieldNodeID, "FieldImageURL": FieldImageURL, "FieldIPAddress": FieldIPAddress,
	"FieldURL": FieldURL, "FieldName": FieldName, "FieldProvider": FieldProvider, "FieldBasePath": FieldBasePath,
	"FieldRepository": FieldRepository, "FieldEnabled": FieldEnabled, "FieldInstances": FieldInstances,
	"FlagNoDataBackup": FlagNoDataBackup,
	"FieldUpload":      FieldUpload, "FieldDownload": FieldDownload, "FieldOperations": FieldOperations,
	"FieldModuleSnapshots": FieldModuleSnapshots, "FieldModuleIndexes": FieldModuleIndexes, "FieldModuleLocks": FieldModuleLocks,
	"FieldQuota": FieldQuota, "FieldModuleQuota": FieldModuleQuota, "FieldModuleQuotaPrefix": FieldModuleQuotaPrefix + "UUID", "FieldKeepDeleted": FieldKeepDeleted, "FieldTrashGivesWay": FieldTrashGivesWay, "FieldLeases": FieldLeases,

	"ChannelACLChanged": ChannelACLChanged, "ChannelDestinationChanged": ChannelDestinationChanged,
	"ChannelScheduleChanged": ChannelScheduleChanged, "ChannelBackupStatusChanged": ChannelBackupStatusChanged("NODE"), "ChannelFrozen": ChannelFrozen("NODE"),
}

func TestReference(t *testing.T) {
	t.Parallel()
	sections := map[string][]string{} // by the start of the Go name
	seen := map[string]bool{}
	for _, d := range append(declarations(t, "keys.go"), declarations(t, "limits.go")...) {
		value, known := names[d.name]
		if !known {
			t.Errorf("names does not say what %s stands for", d.name)
			continue
		}
		seen[d.name] = true
		section := "key"
		for _, prefix := range []string{"Field", "Flag", "Channel"} {
			if strings.HasPrefix(d.name, prefix) {
				section = prefix
			}
		}
		sections[section] = append(sections[section], fmt.Sprintf("| `"+value+"` | %s |\n", d.withoutGo()))
	}
	for name := range names {
		if !seen[name] {
			t.Errorf("names describes %s, which keys.go and limits.go do not declare", name)
		}
	}
	var w strings.Builder
	w.WriteString(`# Redis

The keys are those of NethServer 8, but for the limits, the changes, the audit
log, what was acknowledged, what is frozen, the leases, the plans and the history of runs. Words in
capitals stand for an ID: of a destination or schedule (ID), a module (MODULE), a node
(NODE), or a repository by its path (APP/UUID).
`)
	for _, s := range []struct{ title, name string }{
		{"Keys", "key"}, {"Fields of hashes", "Field"}, {"Members of sets", "Flag"}, {"Channels", "Channel"},
	} {
		rows := sections[s.name]
		slices.Sort(rows)
		fmt.Fprintf(&w, "\n## %s\n\n| name | what it is |\n|---|---|\n%s", s.title, strings.Join(rows, ""))
	}
	docgentest.Page(t, "redis.md", w.String())
}

// A declaration is an exported constant of a name in Redis, or a function that
// returns one.
type declaration struct{ name, doc string }

// withoutGo is the comment as a sentence that does not begin with the Go name, and
// calls others by what they stand for.
func (d declaration) withoutGo() string {
	doc := strings.Join(strings.Fields(d.doc), " ")
	for _, verb := range []string{" is ", " are ", " says ", " carries ", " and a module's UUID are "} {
		if rest, ok := strings.CutPrefix(doc, d.name+verb); ok {
			doc = rest
			if verb != " is " && verb != " are " && verb != " and a module's UUID are " {
				doc = strings.TrimSpace(verb) + " " + rest
			}
			break
		}
	}
	words := strings.Fields(doc)
	for i, word := range words {
		bare := strings.Trim(word, ".,;:")
		if value := names[bare]; value != "" {
			words[i] = strings.Replace(word, bare, "`"+value+"`", 1)
		} else {
			words[i] = docgen.Cell(word)
		}
	}
	return strings.TrimSuffix(strings.Replace(strings.Join(words, " "), "Of ", "of ", 1), ".")
}

func declarations(t *testing.T, path string) []declaration {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var all []declaration
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			// Methods and parsers make no names.
			if results := decl.Type.Results; decl.Recv == nil && results != nil && len(results.List) == 1 && decl.Name.IsExported() {
				all = append(all, declaration{decl.Name.Name, decl.Doc.Text()})
			}
		case *ast.GenDecl:
			if decl.Tok != token.CONST {
				continue
			}
			group := decl.Doc.Text() // goes for all below it, until another comment
			for _, spec := range decl.Specs {
				value, ok := spec.(*ast.ValueSpec)
				if !ok || !value.Names[0].IsExported() {
					continue
				}
				if value.Doc != nil {
					group = value.Doc.Text()
				}
				all = append(all, declaration{value.Names[0].Name, cmp.Or(value.Comment.Text(), group)})
			}
		}
	}
	return all
}
