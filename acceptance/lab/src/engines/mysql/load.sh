# Clients of the bank: transfers, and a tick after every fourth.
# shellcheck shell=sh disable=SC2154 # `client` comes before
clients=$1 rate=${2:-0}

# Statements without end, from a client's number on; at a rate, ten of them at a time.
statements() {
	awk -v client="$1" -v customers="$customers" -v rate="$2" 'BEGIN {
		srand(client)
		printf "SET @tick = (SELECT COALESCE(MAX(tick), 0) FROM ticks WHERE client = %d);\n", client
		for (count = 1; ; count++) {
			printf "CALL transfer(%d, %d, %d);\n", rand() * customers, rand() * customers, rand() * 1000
			if (count % 4 == 0) printf "CALL tick(%d);\n", client
			if (rate && count % 10 == 0) { fflush(); system("sleep " 10 / rate) }
		}
	}'
}

customers=$("$client" --batch --skip-column-names -e 'SELECT COUNT(*) FROM bank.checking') || exit
number=0
while [ "$number" -lt "$clients" ]; do
	number=$((number + 1))
	statements "$number" "$((rate / clients))" | "$client" bank &
done
wait
