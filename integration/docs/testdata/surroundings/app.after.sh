# The module's directory holds nothing of the volumes, and no dump stays behind in it.
[[ -z $(ls /srv/backup/wiki1/volumes/pages /srv/other/wiki1/volumes/uploads | grep -v :) ]]
