# Backblaze B2, which is there always: the key is in b2-key.txt.
echo 'K001+test/secret' > b2-key.txt
