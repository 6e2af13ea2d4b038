// Package operation names what a request asks for. The parser of a protocol
// decides it, once for each request; permissions, metrics, limits and the
// protocol's dispatch go by it. It imports nothing.
package operation

// Operation is what a request asks for.
type Operation uint8

// The operations. What the protocol does not know is Other. No request asks for
// AddKey: whether a key is another one shows only where it is stored.
const (
	Other      Operation = iota
	Create               // make a repository
	Head                 // ask for an object, or a list, without its content
	Read                 // read an object
	List                 // list the objects of a type
	SaveConfig           // store a config
	Save                 // store a pack, a snapshot or an index
	SaveKey              // store the key of a repository that is begun
	AddKey               // store a key of a repository that is there
	SaveLock             // store a lock
	RemoveLock           // delete a lock
	Remove               // delete anything else
	Roots                // look at the list of destinations, over WebDAV
	Browse               // look at a directory or a file, over WebDAV
	Put                  // store an object, over WebDAV
	Change               // change anything else, over WebDAV
	Probe                // ask whether the gateway lives
	Admin                // administer the gateway
	End                  // their number
)

var names = [End]string{
	Other: "other", Create: "create", Head: "head", Read: "get", List: "list",
	SaveConfig: "save", Save: "save", SaveKey: "save", AddKey: "save", SaveLock: "save", RemoveLock: "delete", Remove: "delete",
	Roots: "browse", Browse: "browse", Put: "put", Change: "change",
	Probe: "probe", Admin: "admin",
}

// String returns the operation as the metrics name it. Those that differ only in
// who may do them share a name.
func (o Operation) String() string { return names[o] }

// Stores reports whether the operation uploads an object.
func (o Operation) Stores() bool {
	return o == SaveConfig || o == Save || o == SaveKey || o == SaveLock || o == Put
}
