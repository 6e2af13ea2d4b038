package examine

// permission is a permission that the storage must grant.
type permission uint8

const (
	toList permission = iota
	toRead
	toWrite
	toDelete
)

// general is the advice for any storage.
var general = [...]string{
	toList:   "give it permission to list and to read",
	toRead:   "give it permission to read",
	toWrite:  "give it permission to write",
	toDelete: "give it permission to delete",
}

// particular names the permission, or where to grant it, by type of storage.
var particular = map[string][4]string{
	"s3":        {"s3:ListBucket and s3:GetObject", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"},
	"b2":        {"listFiles and readFiles", "readFiles", "writeFiles", "deleteFiles"},
	"azureblob": {"role Storage Blob Data Contributor", "role Storage Blob Data Contributor", "role Storage Blob Data Contributor", "role Storage Blob Data Contributor"},
	"google cloud storage": {
		"storage.objects.list and storage.objects.get", "storage.objects.get", "storage.objects.create", "storage.objects.delete",
	},
	"sftp":   server("on the server: owner and mode of the directory", ", and no internal-sftp -R for this user"),
	"ftp":    server("on the server: owner and mode of the directory", ", and a server that lets this user write, such as write_enable=YES of vsftpd"),
	"smb":    server("on the server: the permissions of the directory, and of the share for this user", ", with read only = no on Samba"),
	"webdav": server("on the server: the rights of this user in that folder", ", and a server that takes PUT, MKCOL, MOVE and DELETE from it"),
}

// server is the advice for file servers; change is the advice for operations that change
// files.
// files.
func server(where, change string) [4]string {
	return [4]string{where, where, where + change, where + change}
}

// retention completes the advice about deletion for vendors with retention.
const retention = "; where a retention or an immutability policy keeps all files, leave locks/ out of it"

// advice returns the advice about a missing permission on a type of storage.
func (p permission) advice(typ string) string {
	text := general[p]
	names, known := particular[typ]
	if known {
		text += " (" + names[p] + ")"
	}
	if p == toDelete && (!known || keeps[typ]) {
		text += retention
	}
	return text
}

// keeps are the types of storage with a retention of deleted objects.
var keeps = map[string]bool{"s3": true, "b2": true, "azureblob": true, "google cloud storage": true}

// inDirectory is what a process does in a directory.
func (p permission) inDirectory() string {
	switch p {
	case toWrite:
		return "write into"
	case toDelete:
		return "delete from"
	}
	return "read"
}
