"""The functions that every PowerCLI script of a placement begins with."""

FUNCTIONS = r"""
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest

# The one object with exactly this name; names are never patterns.
function Get-One($Objects, [string]$Name) {
    $found = @($Objects | Where-Object { $_ -and $_.Name -eq $Name })
    if ($found.Count -ne 1) { throw "There are $($found.Count) objects named '$Name'." }
    return $found[0]
}

function Get-PlannedHost([string]$HostName) {
    return Get-One (Get-VMHost -Location $Cluster) $HostNames[$HostName]
}

function Set-PlannedGraphics([string]$HostName, [string]$Policy, [string]$Mode) {
    $vmHost = Get-PlannedHost $HostName
    $manager = Get-View -Id $vmHost.ExtensionData.ConfigManager.GraphicsManager
    $config = $manager.GraphicsConfig
    $config.HostDefaultGraphicsType = 'sharedDirect'
    $config.SharedPassthruAssignmentPolicy = $Policy
    foreach ($device in @($config.DeviceType | Where-Object { $_ })) {
        $device.GraphicsType = 'sharedDirect'
        if ($Mode) { $device.VgpuMode = $Mode }
    }
    $manager.UpdateGraphicsConfig($config)
}

# The driver's own name of a vGPU type: grid_ or, in newer releases, nvidia_ goes before it.
function Get-VgpuType($VMHost, [string]$Type) {
    $known = @($VMHost.ExtensionData.Config.SharedPassthruGpuTypes)
    $found = @($known | Where-Object { $_ -eq "grid_$Type" -or $_ -eq "nvidia_$Type" })
    if (-not $found) { throw "$($VMHost.Name) has no vGPU type '$Type', but: $known" }
    return $found[0]
}

function New-PlannedDevice($Backing) {
    $device = New-Object -TypeName VMware.Vim.VirtualPCIPassthrough
    $device.Key = -1
    $device.Backing = $Backing
    $change = New-Object -TypeName VMware.Vim.VirtualDeviceConfigSpec
    $change.Operation = 'add'
    $change.Device = $device
    return $change
}

function New-VgpuDevice($VMHost, [string]$Type) {
    $backing = New-Object -TypeName VMware.Vim.VirtualPCIPassthroughVmiopBackingInfo
    $backing.Vgpu = Get-VgpuType $VMHost $Type
    return New-PlannedDevice $backing
}

# Dynamic DirectPath I/O: any NVIDIA GPU of the host's kind, so that HA may restart the VM.
function New-WholeDevice($VMHost) {
    $gpu = $VMHost.ExtensionData.Hardware.PciDevice |
        Where-Object { $_.VendorId -eq 0x10de -and $_.ClassId -in 0x0300, 0x0302 } |
        Select-Object -First 1
    if (-not $gpu) { throw "$($VMHost.Name) has no NVIDIA GPU." }
    $allowed = New-Object -TypeName VMware.Vim.VirtualPCIPassthroughAllowedDevice
    $allowed.VendorId = $gpu.VendorId
    $allowed.DeviceId = $gpu.DeviceId
    $backing = New-Object -TypeName VMware.Vim.VirtualPCIPassthroughDynamicBackingInfo
    $backing.AllowedDevice = @($allowed)
    $backing.DeviceName = ''
    return New-PlannedDevice $backing
}

function New-PlannedOption([string]$Key, [string]$Value) {
    $option = New-Object -TypeName VMware.Vim.OptionValue
    $option.Key = $Key
    $option.Value = $Value
    return $option
}

function Set-PlannedVM(
    [string]$Name, [string]$HostName, [int]$Cores, [int]$MemoryMiB,
    [string[]]$Vgpu = @(), [int]$WholeGpus = 0, [int]$MmioGiB
) {
    $vmHost = Get-PlannedHost $HostName
    $vm = Get-VM -Location $Cluster | Where-Object { $_.Name -eq $Name }
    if (-not $vm) {
        $template = Get-One (Get-Template) $TemplateName
        $datastore = Get-One (Get-Datastore -RelatedObject $vmHost) $DatastoreName
        $vm = New-VM -Name $Name -VMHost $vmHost -Template $template -Datastore $datastore
    }
    if ($vm.PowerState -ne 'PoweredOff') { throw "$Name is not off." }
    if ($vm.ExtensionData.Config.Firmware -ne 'efi') { throw "$Name does not boot by EFI." }
    $devices = @($vm.ExtensionData.Config.Hardware.Device)
    if ($devices | Where-Object { $_ -is [VMware.Vim.VirtualPCIPassthrough] }) {
        Write-Warning -Message "$Name has a PCI device already and is left as it is."
        return
    }
    $spec = New-Object -TypeName VMware.Vim.VirtualMachineConfigSpec
    $spec.NumCPUs = $Cores
    $spec.MemoryMB = $MemoryMiB
    $spec.MemoryReservationLockedToMax = $true
    $spec.ExtraConfig = @(
        New-PlannedOption 'pciPassthru.use64bitMMIO' 'TRUE'
        New-PlannedOption 'pciPassthru.64bitMMIOSizeGB' "$MmioGiB"
    )
    $changes = @($Vgpu | ForEach-Object { New-VgpuDevice $vmHost $_ })
    for ($at = 0; $at -lt $WholeGpus; $at++) { $changes += New-WholeDevice $vmHost }
    for ($at = 0; $at -lt $changes.Count; $at++) { $changes[$at].Device.Key = -1 - $at }
    $spec.DeviceChange = $changes
    $vm.ExtensionData.ReconfigVM($spec)
}

function Get-PlannedVMs([string[]]$VMNames) {
    return @(Get-VM -Location $Cluster | Where-Object { $VMNames -contains $_.Name })
}

function Add-PlannedRule([string]$Name, [bool]$Together, [string[]]$VMNames) {
    $vms = Get-PlannedVMs $VMNames
    New-DrsRule -Cluster $Cluster -Name $Name -KeepTogether $Together -VM $vms -Enabled $true
}

# These VMs must run on their hosts, and those that they avoid must not.
function Add-PlannedHosts(
    [string]$Name, [string[]]$HostNames, [string[]]$VMNames, [string[]]$OtherVMNames = @()
) {
    $hosts = @($HostNames | ForEach-Object { Get-PlannedHost $_ })
    $own = Get-PlannedVMs $VMNames
    $hostGroup = New-DrsClusterGroup -Cluster $Cluster -Name "$Name-hosts" -VMHost $hosts
    $vmGroup = New-DrsClusterGroup -Cluster $Cluster -Name "$Name-vms" -VM $own
    New-DrsVMHostRule -Cluster $Cluster -Name "$Name-own" -VMGroup $vmGroup `
        -VMHostGroup $hostGroup -Type 'MustRunOn'
    $others = Get-PlannedVMs $OtherVMNames
    if ($others) {
        $otherGroup = New-DrsClusterGroup -Cluster $Cluster -Name "$Name-others" -VM $others
        New-DrsVMHostRule -Cluster $Cluster -Name "$Name-not" -VMGroup $otherGroup `
            -VMHostGroup $hostGroup -Type 'MustNotRunOn'
    }
}
"""
"""Names of cmdlets and their parameters are those of the VCF PowerCLI Reference; names of objects
and properties those of the vSphere Web Services API."""
