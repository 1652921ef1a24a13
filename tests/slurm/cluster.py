"""A SLURM cluster of several node daemons on this host, for as long as a test needs it.

Needs slurm-wlm and munge (Debian). Works as root in a container and as an ordinary user,
without systemd, cgroups or accounting. All state is in one temporary folder, sockets are on the
loopback where the host's name allows it, and what is stopped at the end is what was started
here, by process id. As root every node has its own host name and /dev/shm.
"""
import glob
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol")
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"

CONFIGURATION = """\
ClusterName=llmfptest
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/sock,cred_expire=6
CredType=cred/munge
{loopback}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
# PMIx makes a folder there, which must differ from node to node.
TmpFS={folder}/tmp/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd-%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
TaskProlog={folder}/task-prolog
SwitchType=switch/none
MpiDefault=pmix
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=5,batch_sched_delay=0,sched_min_interval=0
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
InactiveLimit=0
KillWait=20
MinJobAge=3600
SlurmctldTimeout=60
SlurmdTimeout=120
CompleteWait=0
PropagateResourceLimits=NONE
NodeName=node[1-{nodes}] NodeHostname=localhost NodeAddr=127.0.0.1 Port=[{first}-{last}] \
CPUs={cpus} RealMemory=2000 State=UNKNOWN
PartitionName=low Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=high Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=9 PreemptMode=OFF
"""

# What it prints as "export A=B" enters the environment of tasks and batch scripts. The nodes
# share this host's cores: ranks that wait must not spin.
PROLOG = """\
#!/bin/sh
echo export OMPI_MCA_btl_tcp_if_include=lo
echo export OMPI_MCA_oob_tcp_if_include=lo
echo export OMPI_MCA_mpi_yield_when_idle=1
{more}
"""

NAMESPACE = """\
#!/bin/sh
# A node daemon with a host name, /dev/shm and /etc/hosts of its own.
mount --make-rprivate / && mount -t tmpfs -o mode=1777 tmpfs /dev/shm && hostname "$1" || exit 1
[ ! -e /etc/hosts ] || mount --bind "{folder}/hosts" /etc/hosts || exit 1
exec slurmd -N "$1" -f "{folder}/slurm.conf"
"""


def missing():
    """The programs that a cluster needs and that are not installed."""
    return [name for name in NEEDED if shutil.which(name, path=PATH) is None]


def is_alive(pid):
    """A zombie counts as ended: not every container has somebody who reaps."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Cluster:
    """`with Cluster() as cluster:` or start() and stop()."""

    def __init__(self, nodes=3, cpus=2):
        self.nodes, self.cpus = nodes, cpus
        self.folder = None
        self.pids = {}
        self.environment = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    # ---- starting ----

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(name), mode)

    def daemon(self, name, *command):
        """Start a program that puts itself into the background, and note its process id."""
        with open(self.path("log", name + ".err"), "w", encoding="utf-8") as log:
            done = subprocess.run(command, env=self.environment, stdin=subprocess.DEVNULL,
                                  stdout=log, stderr=log, timeout=60, check=False)
        for _ in range(100):
            try:
                with open(self.path("run", name + ".pid"), encoding="ascii") as file:
                    self.pids[name] = int(file.read())
                break
            except (FileNotFoundError, ValueError):
                time.sleep(0.1)
        if done.returncode != 0 or name not in self.pids:
            raise RuntimeError(f"{name} does not start ({done.returncode}):\n{self.logs()}")

    def start(self):
        if missing():
            raise RuntimeError(f"SLURM cannot be started without {', '.join(missing())}")
        self.folder = tempfile.mkdtemp(prefix="llmfp-slurm-")
        os.chmod(self.folder, 0o755)
        for name in ("munge", "state", "spool", "log", "run", "tmp"):
            os.mkdir(self.path(name))
        os.chmod(self.path("state"), 0o700)
        self.environment = dict(os.environ, PATH=PATH, SLURM_CONF=self.path("slurm.conf"))
        if os.geteuid() == 0:
            self.environment.update(OMPI_ALLOW_RUN_AS_ROOT="1",
                                    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
        # Ports below those which the system gives to outgoing connections.
        port = random.SystemRandom().randrange(20000, 30000)
        self.write_files(port)
        with open(os.open(self.path("munge", "key"), os.O_WRONLY | os.O_CREAT, 0o600), "wb") as key:
            key.write(os.urandom(128))
        # --force: it would refuse folders such as /tmp.
        self.daemon("munged", "munged", "--force", f"--socket={self.path('munge/sock')}",
                    f"--key-file={self.path('munge/key')}",
                    f"--pid-file={self.path('run/munged.pid')}",
                    f"--seed-file={self.path('munge/seed')}",
                    f"--log-file={self.path('log/munged.log')}", "--origin=127.0.0.1")
        self.daemon("slurmctld", "slurmctld", "-c", "-f", self.path("slurm.conf"))
        for number in range(1, self.nodes + 1):
            name = f"node{number}"
            os.makedirs(self.path("spool", name))
            os.mkdir(self.path("tmp", name))
            os.chmod(self.path("tmp", name), 0o1777)
            if self.own_names:
                command = ("unshare", "--mount", "--uts", self.path("namespace"), name)
            else:
                command = ("slurmd", "-N", name, "-f", self.path("slurm.conf"))
            self.daemon(f"slurmd-{name}", *command)
        self.wait_for_nodes()

    def write_files(self, port):
        self.own_names = os.geteuid() == 0 and subprocess.run(
            ["unshare", "--mount", "--uts", "true"], capture_output=True, check=False
        ).returncode == 0
        try:
            on_loopback = socket.gethostbyname(socket.gethostname()) == "127.0.0.1"
        except OSError:
            on_loopback = False
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout
        self.write("slurm.conf", CONFIGURATION.format(
            port=port, first=port + 1, last=port + self.nodes, user=user.strip(),
            folder=self.folder, nodes=self.nodes, cpus=self.cpus,
            loopback="CommunicationParameters=NoInAddrAny,NoCtldInAddrAny" * on_loopback))
        # Without a /dev/shm of their own, ranks of two nodes would take each other for neighbours.
        self.write("task-prolog", PROLOG.format(
            more="" if self.own_names else "echo export OMPI_MCA_btl=self,tcp"), 0o755)
        self.write("namespace", NAMESPACE.format(folder=self.folder), 0o755)
        hosts = ""
        if os.path.exists("/etc/hosts"):
            with open("/etc/hosts", encoding="utf-8") as file:
                hosts = file.read()
        self.write("hosts", hosts + "".join(f"\n127.0.0.1 node{number}"
                                            for number in range(1, self.nodes + 1)) + "\n")

    def wait_for_nodes(self):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            idle = self.run("sinfo", "-h", "-p", "low", "-t", "idle", "-o", "%D",
                            check=False).strip()
            if idle == str(self.nodes):
                return
            time.sleep(0.2)
        raise RuntimeError(f"the nodes do not come up:\n{self.logs()}")

    # ---- using ----

    def run(self, *command, env=None, cwd=None, check=True):
        """Standard output of a command."""
        done = subprocess.run(command, env=dict(self.environment, **(env or {})), cwd=cwd,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.returncode}: {done.stderr}")
        return done.stdout

    def job(self, number):
        """What scontrol says of a job, {} when it knows nothing of it."""
        text = self.run("scontrol", "show", "job", "-o", str(number), check=False)
        return dict(word.split("=", 1) for word in text.split() if "=" in word)

    def logs(self):
        text = ""
        for path in sorted(glob.glob(self.path("log", "*"))):
            with open(path, encoding="utf-8", errors="replace") as file:
                text += f"--- {os.path.basename(path)}\n" + "".join(file.readlines()[-8:])
        return text

    # ---- stopping ----

    def stop(self):
        if self.folder is None:
            return
        if "slurmctld" in self.pids and is_alive(self.pids["slurmctld"]):
            self.end_jobs()
        for kind in ("slurmd-", "slurmctld", "munged"):
            ours = {name: pid for name, pid in self.pids.items() if name.startswith(kind)}
            for pid in ours.values():
                self.signal(pid, signal.SIGTERM)
            for pid in ours.values():
                for _ in range(100):
                    if not is_alive(pid):
                        break
                    time.sleep(0.1)
                else:
                    self.signal(pid, signal.SIGKILL)
        # Step daemons that have outlived their node's: those that work in our folder.
        for proc in glob.glob("/proc/[0-9]*"):
            try:
                with open(proc + "/comm", encoding="utf-8") as file:
                    name = file.read().strip()
                if name == "slurmstepd" and os.readlink(proc + "/cwd").startswith(self.folder):
                    self.signal(int(os.path.basename(proc)), signal.SIGKILL)
            except OSError:
                pass
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder = None

    def end_jobs(self):
        for number in set(self.run("squeue", "-h", "-o", "%A", check=False).split()):
            self.run("scancel", number, check=False)
        for _ in range(300):
            if not self.run("squeue", "-h", check=False).strip():
                break
            time.sleep(0.1)

    @staticmethod
    def signal(pid, number):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
