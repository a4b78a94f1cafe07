# A MySQL or MariaDB server and a bank in it, 10,000 customers for each unit of size. `make_data_directory` and
# `only_root_by_socket` are the engine's own, as are:
#   client         its client program
#   unit           its service
#   configuration  a file that it reads after all others
#   counters       the storage engine of the bank's counters that take no part in transactions
# shellcheck shell=sh disable=SC2154 # follows guest/mounts.sh and the engine's own
install -d -o mysql -g adm /var/log/mysql
if [ -n "$log" ]; then
	install -d -o mysql -g mysql "$log/redo" "$log/binlog"
fi
{
	echo '[mysqld]'
	echo 'log_error = /var/log/mysql/error.log'
	echo "log_bin = ${log:+$log/binlog/}bin"
	echo "${log:+innodb_log_group_home_dir = $log/redo}"
	echo "$settings"
} >"$configuration"
make_data_directory
systemctl enable --quiet "$unit"
systemctl start "$unit"
only_root_by_socket

"$client" <<SQL
CREATE DATABASE bank;
USE bank;
-- What leaves the one comes to the other and is logged, in one transaction: the sum over both stays 0.
CREATE TABLE checking (id INT PRIMARY KEY, balance BIGINT NOT NULL, filler CHAR(180) NOT NULL) ENGINE=InnoDB;
CREATE TABLE savings (id INT PRIMARY KEY, balance BIGINT NOT NULL, filler CHAR(180) NOT NULL) ENGINE=InnoDB;
CREATE TABLE transfers (
	id BIGINT PRIMARY KEY AUTO_INCREMENT, customer INT NOT NULL, amount BIGINT NOT NULL, KEY (customer)
) ENGINE=InnoDB;
-- A line for each tick of a client, and how many there were: no transaction keeps them together.
CREATE TABLE ticks (client INT NOT NULL, tick BIGINT NOT NULL, filler CHAR(60) NOT NULL, KEY (client, tick)) ENGINE=MyISAM;
CREATE TABLE counters (client INT PRIMARY KEY, tick BIGINT NOT NULL) ENGINE=$counters;
DELIMITER //
CREATE PROCEDURE transfer(IN one INT, IN other INT, IN amount BIGINT)
BEGIN
	DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
	START TRANSACTION;
	UPDATE checking SET balance = balance - amount WHERE id = one;
	UPDATE savings SET balance = balance + amount WHERE id = other;
	INSERT INTO transfers (customer, amount) VALUES (other, amount);
	COMMIT;
END//
CREATE PROCEDURE tick(IN who INT)
BEGIN
	SET @tick = @tick + 1;
	INSERT INTO ticks VALUES (who, @tick, 'tick');
	UPDATE counters SET tick = @tick WHERE client = who;
END//
DELIMITER ;
INSERT INTO counters VALUES (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0);
CREATE TABLE digits (digit INT PRIMARY KEY);
INSERT INTO digits VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
SQL

ten_thousand=0
while [ "$ten_thousand" -lt "$size" ]; do
	for account in checking savings; do
		"$client" bank <<SQL
INSERT INTO $account
SELECT $ten_thousand * 10000 + a.digit * 1000 + b.digit * 100 + c.digit * 10 + d.digit, 0, 'filler'
FROM digits a, digits b, digits c, digits d;
SQL
	done
	ten_thousand=$((ten_thousand + 1))
done
"$client" bank -e 'DROP TABLE digits' </dev/null
