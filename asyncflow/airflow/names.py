"""The table of `airflow.*` names: what Airflow 1.10, 2.x and 3.x call the things that asyncflow has.

`EXPORTS` maps a module of Airflow to what it offers: {module of ours (without "asyncflow."): names}. The names are
separated by blanks; `theirs=ours` where they differ; "*" stands for all public names of our module, and for the module
itself where code does `from airflow.utils import timezone`. `ALIASES` are modules that offer the same as another one.
`MISSING` says, for what people look for and we do not have, what to use instead.

Read by `airflow.finder` only. A test resolves every name.
"""

from __future__ import annotations

EXPORTS: dict[str, dict[str, str]] = {
    "airflow": {
        "authoring.dag": "DAG",
        "authoring.xcom_arg": "XComArg",
        "authoring.dataset": "Dataset",
        "airflow.version": "__version__=version",
    },
    "airflow.configuration": {
        "authoring.conf": "conf",
        "airflow.configured": "get getboolean getfloat getint has_option getsection",
    },
    "airflow.datasets": {
        "authoring.dataset": "Dataset DatasetAlias DatasetAll DatasetAny BaseDataset=BaseAsset expand_alias_to_datasets"
    },
    "airflow.datasets.metadata": {"authoring.dataset": "Metadata"},
    "airflow.decorators": {
        "authoring.dag": "dag",
        "authoring.decorators": "task task_group setup teardown TaskDecorator",
    },
    "airflow.decorators.base": {
        "authoring.decorators": "DecoratedOperator TaskDecorator task_decorator_factory get_unique_task_id",
        "authoring.mapping": "DecoratedMappedOperator=MappedOperator",
    },
    "airflow.exceptions": {"authoring.exceptions": "*"},
    "airflow.hooks.base": {"hooks.base": "BaseHook"},
    "airflow.hooks.filesystem": {"hooks.filesystem": "FSHook"},
    "airflow.hooks.subprocess": {"hooks.subprocess": "SubprocessHook SubprocessResult working_directory"},
    "airflow.io": {"authoring.objectstorage": "attach"},
    "airflow.io.path": {"authoring.objectstorage": "ObjectStoragePath"},
    "airflow.lineage.hook": {
        "airflow.provider_support": "get_hook_lineage_collector HookLineageCollector HookLineageReader HookLineage "
        "AssetLineageInfo NoOpCollector=HookLineageCollector"
    },
    "airflow.listeners": {"airflow.provider_support": "hookimpl"},
    "airflow.listeners.listener": {"airflow.provider_support": "get_listener_manager ListenerManager"},
    "airflow.macros": {"authoring.macros": "*"},
    "airflow.models": {
        "authoring.dag": "DAG",
        "authoring.baseoperator": "BaseOperator",
        "authoring.variable": "Variable",
        "authoring.connection": "Connection",
        "authoring.params": "Param",
        "authoring.taskinstance": "TaskInstance DagRun",
        "authoring.xcomstore": "XCom",
        "authoring.xcom_arg": "XComArg",
        "authoring.mapping": "MappedOperator",
        "testing.dagbag": "DagBag",
    },
    "airflow.models.abstractoperator": {"authoring.abstractoperator": "AbstractOperator"},
    "airflow.models.baseoperator": {
        "authoring.baseoperator": "BaseOperator BaseOperatorMeta",
        "authoring.edges": "chain chain_linear cross_downstream",
        "authoring.operatorlink": "BaseOperatorLink",
    },
    "airflow.models.baseoperatorlink": {"authoring.operatorlink": "BaseOperatorLink"},
    "airflow.models.connection": {"authoring.connection": "Connection"},
    "airflow.models.dag": {"authoring.dag": "DAG dag", "authoring.current": "DagContext"},
    "airflow.models.dagbag": {"testing.dagbag": "DagBag"},
    "airflow.models.dagrun": {"authoring.taskinstance": "DagRun"},
    "airflow.models.mappedoperator": {"authoring.mapping": "MappedOperator OperatorPartial"},
    "airflow.models.param": {"authoring.params": "Param ParamsDict DagParam"},
    "airflow.models.skipmixin": {"authoring.skip": "SkipMixin"},
    "airflow.models.taskinstance": {
        "authoring.taskinstance": "TaskInstance TaskInstanceKey",
        "authoring.context": "get_current_context set_current_context",
    },
    "airflow.models.taskinstancekey": {"authoring.taskinstance": "TaskInstanceKey"},
    "airflow.models.taskmixin": {"authoring.edges": "DependencyMixin DAGNode TaskMixin=DependencyMixin"},
    "airflow.models.variable": {"authoring.variable": "Variable"},
    "airflow.models.xcom": {
        "authoring.xcom": "XCOM_RETURN_KEY LazyXComAccess=LazySelectSequence",
        "authoring.xcomstore": "XCom BaseXCom=XCom",
    },
    "airflow.models.xcom_arg": {"authoring.xcom_arg": "XComArg PlainXComArg"},
    "airflow.notifications.basenotifier": {"authoring.notifier": "BaseNotifier"},
    "airflow.operators": {
        "operators.bash": "BashOperator",
        "operators.empty": "EmptyOperator DummyOperator",
        "operators.python": "PythonOperator BranchPythonOperator ShortCircuitOperator",
    },
    "airflow.operators.bash": {"operators.bash": "BashOperator"},
    "airflow.operators.email": {"operators.email": "EmailOperator"},
    "airflow.utils.email": {
        "authoring.mail": "build_mime_message get_email_address_list send_email send_email_smtp send_mime_email"
    },
    "airflow.operators.branch": {"operators.branch": "BaseBranchOperator BranchMixIn"},
    "airflow.operators.datetime": {"operators.datetime": "BranchDateTimeOperator target_times_as_dates"},
    "airflow.operators.dummy": {"operators.empty": "DummyOperator EmptyOperator"},
    "airflow.operators.empty": {"operators.empty": "EmptyOperator"},
    "airflow.operators.latest_only": {"operators.latest_only": "LatestOnlyOperator"},
    "airflow.operators.python": {
        "operators.python": "PythonOperator BranchPythonOperator ShortCircuitOperator",
        "operators.virtualenv": "PythonVirtualenvOperator ExternalPythonOperator BranchPythonVirtualenvOperator "
        "BranchExternalPythonOperator is_venv_installed",
        "authoring.context": "get_current_context",
        "authoring.decorators": "task",
    },
    "airflow.operators.subdag": {"operators.subdag": "SubDagOperator"},
    "airflow.operators.trigger_dagrun": {"operators.trigger_dagrun": "TriggerDagRunOperator TriggerDagRunLink"},
    "airflow.operators.weekday": {"operators.weekday": "BranchDayOfWeekOperator"},
    "airflow.partition_mappers.base": {"authoring.partitions": "PartitionMapper"},
    "airflow.partition_mappers.window": {
        "authoring.partitions": "Window HourWindow DayWindow WeekWindow MonthWindow QuarterWindow YearWindow "
        "SegmentWindow"
    },
    "airflow.plugins_manager": {"authoring.plugins": "AirflowPlugin"},
    "airflow.providers.standard.exceptions": {
        "operators.hitl": "HITLRejectException HITLTimeoutError HITLTriggerEventError"
    },
    "airflow.providers.standard.operators.hitl": {
        "operators.hitl": "HITLOperator HITLEntryOperator ApprovalOperator HITLBranchOperator HITLRejectException "
        "HITLTimeoutError HITLTriggerEventError"
    },
    "airflow.providers.standard.triggers.hitl": {"triggers.hitl": "HITLTrigger"},
    "airflow.providers_manager": {"airflow.provider_support": "ProvidersManager DialectInfo"},
    "airflow.sdk": {
        "authoring.dag": "DAG dag",
        "authoring.deadlines": "AsyncCallback DeadlineAlert DeadlineReference SyncCallback",
        "authoring.baseoperator": "BaseOperator",
        "authoring.conf": "conf",
        "authoring.connection": "Connection",
        "authoring.context": "Context get_current_context",
        "authoring.dataset": "Asset=Dataset AssetAlias=DatasetAlias AssetAll=DatasetAll AssetAny=DatasetAny "
        "AssetWatcher AssetAccessControl Metadata",
        "operators.asset": "asset",
        "authoring.decorators": "task task_group setup teardown",
        "authoring.edges": "Label chain chain_linear cross_downstream EdgeModifier",
        "authoring.mapping": "MappedOperator",
        "authoring.notifier": "BaseNotifier",
        "authoring.operatorlink": "BaseOperatorLink",
        "authoring.objectstorage": "ObjectStoragePath",
        "authoring.params": "Param ParamsDict DagParam",
        "authoring.partitions": "*",
        "authoring.retrypolicy": "*",
        "authoring.taskgroup": "TaskGroup",
        "authoring.templates": "literal",
        "authoring.timetables": "CronDataIntervalTimetable CronTriggerTimetable DeltaDataIntervalTimetable "
        "DeltaTriggerTimetable EventsTimetable MultipleCronTriggerTimetable AssetOrTimeSchedule=DatasetOrTimeSchedule",
        "authoring.timezone": "timezone=*",
        "authoring.variable": "Variable",
        "authoring.xcom_arg": "XComArg",
        "authoring.xcomstore": "XCom",
        "airflow.parsing": "get_parsing_context",
        "airflow.states": "DagRunState TaskInstanceState TriggerRule WeightRule State",
        "hooks.base": "BaseHook",
        "sensors.base": "BaseSensorOperator PokeReturnValue poke_mode_only",
    },
    "airflow.sdk.bases.hook": {"hooks.base": "BaseHook"},
    "airflow.sdk.bases.notifier": {"authoring.notifier": "BaseNotifier"},
    "airflow.sdk.bases.operator": {
        "authoring.baseoperator": "BaseOperator",
        "authoring.edges": "chain chain_linear cross_downstream",
    },
    "airflow.sdk.bases.operatorlink": {"authoring.operatorlink": "BaseOperatorLink"},
    "airflow.sdk.bases.sensor": {"sensors.base": "BaseSensorOperator PokeReturnValue poke_mode_only"},
    "airflow.sdk.definitions.connection": {"authoring.connection": "Connection"},
    "airflow.sdk.definitions.context": {"authoring.context": "Context get_current_context"},
    "airflow.sdk.definitions.dag": {"authoring.dag": "DAG dag"},
    "airflow.sdk.definitions.deadline": {
        "authoring.deadlines": "AsyncCallback Callback DeadlineAlert DeadlineReference SyncCallback"
    },
    "airflow.sdk.definitions.mappedoperator": {"authoring.mapping": "MappedOperator OperatorPartial"},
    "airflow.sdk.definitions.param": {"authoring.params": "Param ParamsDict DagParam"},
    "airflow.sdk.definitions.taskgroup": {"authoring.taskgroup": "TaskGroup"},
    "airflow.sdk.definitions.variable": {"authoring.variable": "Variable"},
    "airflow.sdk.definitions.xcom_arg": {"authoring.xcom_arg": "XComArg"},
    "airflow.sdk.definitions._internal.types": {
        "authoring.types": "NOTSET ArgNotSet SET_DURING_EXECUTION=NOTSET is_arg_set"
    },
    "airflow.sdk.exceptions": {"authoring.exceptions": "*"},
    "airflow.sdk.execution_time.comms": {"authoring.assetevents": "AssetEventDagRunReferenceResult"},
    "airflow.sdk.execution_time.context": {
        "airflow.provider_support": "context_to_airflow_vars AIRFLOW_VAR_NAME_FORMAT_MAPPING",
        "authoring.context": "Context ConnectionAccessor VariableAccessor context_merge",
        "authoring.assetevents": "InletEventsAccessors=InletEvents OutletEventAccessors=OutletEvents "
        "TriggeringAssetEventsAccessor",
        "authoring.statestore": "NEVER_EXPIRE",
    },
    "airflow.sdk.execution_time.xcom": {"authoring.xcomstore": "XCom"},
    "airflow.sensors.base": {"sensors.base": "BaseSensorOperator PokeReturnValue poke_mode_only"},
    "airflow.sensors.bash": {"sensors.bash": "BashSensor"},
    "airflow.sensors.date_time": {"sensors.date_time": "DateTimeSensor DateTimeSensorAsync"},
    "airflow.sensors.external_task": {"sensors.external_task": "ExternalTaskSensor ExternalTaskMarker"},
    "airflow.sensors.filesystem": {"sensors.filesystem": "FileSensor"},
    "airflow.sensors.python": {"sensors.python": "PythonSensor"},
    "airflow.sensors.time_delta": {"sensors.time_delta": "TimeDeltaSensor TimeDeltaSensorAsync"},
    "airflow.sensors.time_sensor": {"sensors.time_sensor": "TimeSensor TimeSensorAsync"},
    "airflow.sensors.weekday": {"sensors.weekday": "DayOfWeekSensor"},
    "airflow.settings": {"airflow.configured": "TIMEZONE DAGS_FOLDER AIRFLOW_HOME"},
    "airflow.stats": {"airflow.configured": "Stats"},
    "airflow.task.priority_strategy": {"authoring.weights": "PriorityWeightStrategy"},
    "airflow.templates": {"authoring.templates": "SandboxedEnvironment NativeEnvironment FILTERS literal"},
    "airflow.timetables.base": {
        "authoring.timetables": "DagRunInfo DataInterval TimeRestriction Timetable",
    },
    "airflow.timetables.datasets": {"authoring.timetables": "DatasetOrTimeSchedule"},
    "airflow.timetables.events": {"authoring.timetables": "EventsTimetable"},
    "airflow.timetables.interval": {"authoring.timetables": "CronDataIntervalTimetable DeltaDataIntervalTimetable"},
    "airflow.timetables.simple": {
        "authoring.timetables": "NullTimetable OnceTimetable ContinuousTimetable DatasetTriggeredTimetable"
    },
    "airflow.timetables.trigger": {
        "authoring.timetables": "CronTriggerTimetable DeltaTriggerTimetable MultipleCronTriggerTimetable"
    },
    "airflow.triggers.base": {
        "authoring.triggers": "BaseTrigger TriggerEvent BaseEventTrigger StartTriggerArgs "
        "BaseTaskEndEvent=TaskEndEvent TaskSuccessEvent TaskFailedEvent TaskSkippedEvent"
    },
    "airflow.triggers.external_task": {"triggers.external_task": "WorkflowTrigger DagStateTrigger"},
    "airflow.triggers.file": {"triggers.file": "FileTrigger FileDeleteTrigger DirectoryFileDeleteTrigger"},
    "airflow.triggers.temporal": {"triggers.temporal": "DateTimeTrigger TimeDeltaTrigger"},
    "airflow.typing_compat": {"airflow.typing_names": "Literal Protocol TypedDict Self ParamSpec TypeAlias TypeGuard"},
    "airflow.utils": {"authoring.timezone": "timezone=*", "airflow.dates": "dates=*"},
    "airflow.utils.context": {"authoring.context": "Context ConnectionAccessor VariableAccessor context_merge"},
    "airflow.utils.dag_cycle_tester": {"authoring.localruns": "check_cycle test_cycle"},
    "airflow.utils.dag_parsing_context": {"airflow.parsing": "get_parsing_context AirflowParsingContext"},
    "airflow.utils.dates": {
        "airflow.dates": "days_ago date_range round_time infer_time_unit scale_time_units parse_execution_date "
        "cron_presets"
    },
    "airflow.utils.db": {"airflow.functions": "provide_session"},
    "airflow.utils.decorators": {"airflow.functions": "apply_defaults"},
    "airflow.utils.edgemodifier": {"authoring.edges": "Label EdgeModifier"},
    "airflow.utils.file": {"airflow.functions": "TemporaryDirectory mkdirs"},
    "airflow.utils.helpers": {
        "airflow.functions": "as_flattened_list at_most_one exactly_one is_container merge_dicts prune_dict chunks",
        "authoring.edges": "chain cross_downstream",
        "authoring.checks": "validate_key",
    },
    "airflow.utils.log.logging_mixin": {"airflow.logging_mixin": "LoggingMixin"},
    "airflow.utils.log.secrets_masker": {
        "authoring.masking": "mask_secret redact SecretsMasker should_hide_value_for_key=is_sensitive"
    },
    "airflow.utils.module_loading": {"airflow.functions": "import_string qualname is_valid_dotpath iter_namespace"},
    "airflow.utils.operator_helpers": {
        "authoring.callables": "determine_kwargs KeywordParameters",
        "airflow.provider_support": "context_to_airflow_vars AIRFLOW_VAR_NAME_FORMAT_MAPPING",
    },
    "airflow.utils.process_utils": {"airflow.functions": "execute_in_subprocess"},
    "airflow.utils.platform": {"airflow.functions": "IS_WINDOWS getuser is_tty is_terminal_support_colors"},
    "airflow.utils.session": {"airflow.functions": "provide_session NEW_SESSION"},
    "airflow.utils.setup_teardown": {"authoring.setup_teardown": "SetupTeardownContext"},
    "airflow.utils.state": {
        "airflow.states": "DagRunState State TaskInstanceState TerminalTIState IntermediateTIState"
    },
    "airflow.utils.strings": {"airflow.functions": "to_boolean get_random_string"},
    "airflow.utils.task_group": {"authoring.taskgroup": "TaskGroup", "authoring.mapping": "MappedTaskGroup"},
    "airflow.utils.timeout": {"airflow.provider_support": "timeout TimeoutPosix=timeout"},
    "airflow.utils.timezone": {"authoring.timezone": "*"},
    "airflow.utils.trigger_rule": {"airflow.states": "TriggerRule"},
    "airflow.utils.types": {"authoring.types": "NOTSET ArgNotSet is_arg_set", "airflow.states": "DagRunType"},
    "airflow.utils.weekday": {"authoring.weekday": "WeekDay"},
    "airflow.utils.weight_rule": {"airflow.states": "WeightRule"},
    "airflow.utils.xcom": {"authoring.xcom": "XCOM_RETURN_KEY"},
    "airflow.utils.yaml": {"airflow.yaml_names": "safe_load dump load YAMLError"},
    "airflow.version": {"airflow.version": "version"},
}

#: what provider packages import to work with Airflow 2 and 3
EXPORTS["airflow.providers.common.compat.sdk"] = {**EXPORTS["airflow.sdk"], "authoring.exceptions": "*"}

ALIASES: dict[str, str] = {
    # 1.10
    "airflow.contrib.hooks.fs_hook": "airflow.hooks.filesystem",
    "airflow.contrib.operators.bash_operator": "airflow.operators.bash",
    "airflow.contrib.sensors.python_sensor": "airflow.sensors.python",
    "airflow.contrib.sensors.bash_sensor": "airflow.sensors.bash",
    "airflow.contrib.sensors.file_sensor": "airflow.sensors.filesystem",
    "airflow.contrib.sensors.weekday_sensor": "airflow.sensors.weekday",
    "airflow.hooks.base_hook": "airflow.hooks.base",
    "airflow.hooks": "airflow.hooks.base",
    "airflow.operators.bash_operator": "airflow.operators.bash",
    "airflow.operators.email_operator": "airflow.operators.email",
    "airflow.operators.dagrun_operator": "airflow.operators.trigger_dagrun",
    "airflow.operators.dummy_operator": "airflow.operators.dummy",
    "airflow.operators.latest_only_operator": "airflow.operators.latest_only",
    "airflow.operators.python_operator": "airflow.operators.python",
    "airflow.operators.branch_operator": "airflow.operators.branch",
    "airflow.operators.subdag_operator": "airflow.operators.subdag",
    "airflow.operators.sensors": "airflow.sensors.external_task",
    "airflow.sensors.base_sensor_operator": "airflow.sensors.base",
    "airflow.sensors.date_time_sensor": "airflow.sensors.date_time",
    "airflow.sensors.external_task_sensor": "airflow.sensors.external_task",
    "airflow.sensors.time_delta_sensor": "airflow.sensors.time_delta",
    "airflow.sensors.weekday_sensor": "airflow.sensors.weekday",
    # 2.x
    "airflow.assets": "airflow.datasets",
    "airflow.decorators.setup_teardown": "airflow.decorators",
    "airflow.models.taskgroup": "airflow.utils.task_group",
    "airflow.models.operator": "airflow.models.abstractoperator",
    "airflow.notifications": "airflow.notifications.basenotifier",
    "airflow.sensors.base_sensor": "airflow.sensors.base",
    # 3.x
    "airflow.providers.standard.decorators": "airflow.decorators",
    "airflow.providers.standard.operators.bash": "airflow.operators.bash",
    "airflow.providers.standard.operators.branch": "airflow.operators.branch",
    "airflow.providers.standard.operators.empty": "airflow.operators.empty",
    "airflow.providers.standard.operators.latest_only": "airflow.operators.latest_only",
    "airflow.providers.standard.operators.python": "airflow.operators.python",
    "airflow.providers.standard.sensors.python": "airflow.sensors.python",
    "airflow.sensors.time_delta_async": "airflow.sensors.time_delta",
    "airflow.providers.standard.hooks.filesystem": "airflow.hooks.filesystem",
    "airflow.providers.standard.hooks.subprocess": "airflow.hooks.subprocess",
    "airflow.providers.standard.operators.datetime": "airflow.operators.datetime",
    "airflow.providers.standard.operators.trigger_dagrun": "airflow.operators.trigger_dagrun",
    "airflow.providers.standard.operators.weekday": "airflow.operators.weekday",
    "airflow.providers.standard.sensors.bash": "airflow.sensors.bash",
    "airflow.providers.standard.sensors.date_time": "airflow.sensors.date_time",
    "airflow.providers.standard.sensors.external_task": "airflow.sensors.external_task",
    "airflow.providers.standard.sensors.filesystem": "airflow.sensors.filesystem",
    "airflow.providers.standard.sensors.time": "airflow.sensors.time_sensor",
    "airflow.providers.standard.sensors.time_delta": "airflow.sensors.time_delta",
    "airflow.providers.standard.triggers.external_task": "airflow.triggers.external_task",
    "airflow.providers.standard.triggers.file": "airflow.triggers.file",
    "airflow.providers.standard.triggers.temporal": "airflow.triggers.temporal",
    "airflow.providers.standard.utils.weekday": "airflow.utils.weekday",
    "airflow.providers.standard.sensors.weekday": "airflow.sensors.weekday",
    "airflow.sdk.bases.decorator": "airflow.decorators.base",
    "airflow.sdk.definitions.asset": "airflow.sdk",
    "airflow.sdk.definitions.decorators": "airflow.decorators",
    "airflow.sdk.definitions.edges": "airflow.utils.edgemodifier",
    "airflow.sdk.definitions.template": "airflow.templates",
    "airflow.sdk.execution_time.secrets_masker": "airflow.utils.log.secrets_masker",
    "airflow.sdk.execution_time.timeout": "airflow.utils.timeout",
    "airflow.sdk.lineage": "airflow.lineage.hook",
    "airflow.sdk.listener": "airflow.listeners.listener",
    "airflow.sdk.log": "airflow.utils.log.secrets_masker",
    "airflow.sdk.timezone": "airflow.utils.timezone",
    "airflow.sdk.module_loading": "airflow.utils.module_loading",
    "airflow.sdk.types": "airflow.sdk.definitions._internal.types",
    "airflow.timetables.assets": "airflow.timetables.datasets",
    "airflow.models.asset": "airflow.datasets",
}

_NO_DATABASE = (
    "asyncflow has no SQLAlchemy metadata database; ask through context['ti'], context['dag_run'] or the REST API"
)

_LATER = "this version of asyncflow does not have it yet"

#: full name, or module followed by ".*" -> what to do instead
MISSING: dict[str, str] = {
    "airflow.settings.Session": _NO_DATABASE,
    "airflow.settings.engine": _NO_DATABASE,
    "airflow.utils.session.create_session": _NO_DATABASE,
    "airflow.utils.db.create_session": _NO_DATABASE,
    "airflow.models.DagModel": _NO_DATABASE,
    "airflow.models.Log": _NO_DATABASE,
    "airflow.models.TaskFail": _NO_DATABASE,
    "airflow.models.TaskReschedule": _NO_DATABASE,
    "airflow.models.SlaMiss": _NO_DATABASE,
    "airflow.models.ImportError": _NO_DATABASE,
    "airflow.models.Pool": _NO_DATABASE,
    "airflow.jobs.*": _NO_DATABASE,
    "airflow.providers.standard.*": _LATER,
    "airflow.api.*": "use the REST API of the server",
    "airflow.www.*": "the web UI of asyncflow takes no Flask plugins",
}
