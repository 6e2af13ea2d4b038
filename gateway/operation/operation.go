// Package operation enumerates what requests ask for. The parser of a protocol decides on
// the operation once per request; permissions, metrics, limits and the protocol's dispatch
// depend on it. The package has no imports.
package operation

// Operation is what a request asks for.
type Operation uint8

// The operations. Other stands for requests outside the protocol. No parser returns AddKey:
// only when a key is stored does it turn out not to be the first.
const (
	Other      Operation = iota
	Create               // create a repository
	Head                 // request an object or a list without content
	Read                 // read an object
	List                 // list the objects of a type
	SaveConfig           // store a config
	Save                 // store a pack, a snapshot or an index
	SaveKey              // store the first key of a repository
	AddKey               // store a further key of a repository
	SaveLock             // store a lock
	RemoveLock           // delete a lock
	Remove               // delete anything else
	Roots                // request the list of destinations, over WebDAV
	Browse               // read a directory or a file, over WebDAV
	Put                  // store an object, over WebDAV
	Change               // change anything else, over WebDAV
	Probe                // ask whether the gateway is alive
	Admin                // administer the gateway
	End                  // the number of operations
)

var names = [End]string{
	Other: "other", Create: "create", Head: "head", Read: "get", List: "list",
	SaveConfig: "save", Save: "save", SaveKey: "save", AddKey: "save", SaveLock: "save", RemoveLock: "delete", Remove: "delete",
	Roots: "browse", Browse: "browse", Put: "put", Change: "change",
	Probe: "probe", Admin: "admin",
}

// String returns the operation's name in the metrics. Operations that differ only in their
// permissions share a name.
func (o Operation) String() string { return names[o] }

// Stores reports whether the operation uploads an object.
func (o Operation) Stores() bool {
	return o == SaveConfig || o == Save || o == SaveKey || o == SaveLock || o == Put
}
